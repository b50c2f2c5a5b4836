// What the reasons of log, metric and record mean. One sentence each; a test finds a reason that has none.
import { CALLER_REASONS } from './reasons-caller.ts'
import { CONNECTION_REASONS } from './reasons-connection.ts'
import { POLICY_REASONS } from './reasons-policy.ts'
import { REDIRECT_REASONS } from './reasons-redirect.ts'
import { REQUEST_REASONS } from './reasons-request.ts'

const REASONS: Readonly<Record<string, string>> = {
  ...CALLER_REASONS,
  ...REQUEST_REASONS,
  ...POLICY_REASONS,
  ...REDIRECT_REASONS,
  ...CONNECTION_REASONS,
}

/** `undefined` for what an operator wrote, such as the reason of a revocation. */
export const reasonSentence = (reason: string): string | undefined =>
  Object.hasOwn(REASONS, reason) ? REASONS[reason] : undefined

export const knownReasons = (): readonly string[] => Object.keys(REASONS)
