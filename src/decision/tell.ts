// What the operator is told of an ingress that gets anything but a pass, with the setting that would change it.
import type { Log } from '../observe/log.ts'
import { MissingField } from './ingress.ts'
import type { Original } from './original.ts'
import type { Verdict } from './verdict.ts'

export interface TellNeeds {
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
  /** Whether it is time to tell of this again. */
  isTime(about: string): boolean
}

export interface Told {
  readonly id: string
  readonly address: string
  /** Who asks: the ingress, or whoever poses as one. */
  readonly peer: string
  readonly original: Original | undefined
}

/** The query stays out of the log: it may hold what is nobody's business. */
export function tell({ log, isTime }: TellNeeds, told: Told, { status, reason, error }: Verdict): void {
  const { id, address, original } = told
  const { host, path, method } = original ?? {}
  const line = { id, reason, status, address, host, path, method }
  if (status >= 500) log.error({ ...line, error }, 'a request failed')
  else log.info(line, 'refused')
  const hint = hintOf(told, reason, error)
  if (hint !== undefined && isTime(`${reason} ${hint.about}`)) log.warn({ reason, setting: hint.setting }, hint.words)
}

interface Hint {
  readonly about: string
  readonly setting: string
  readonly words: string
}

const BODY_HINTS: Readonly<Record<string, string>> = {
  body_partial:
    'Envoy sends the beginning of a message, and a rule is about single tools. Raise max_request_bytes of with_request_body, and set allow_partial_message: false.',
  body_replaced:
    'Envoy sends messages as text, where a byte that is not UTF-8 becomes a `!`. Set pack_as_bytes: true in with_request_body.',
}

/** Which setting would admit it: for the operator who wonders, in words that can be acted on. */
function hintOf({ peer, original }: Told, reason: string, error: unknown): Hint | undefined {
  if (reason === 'untrusted_ingress') {
    const words = `A request to an address for ingresses is refused. Add ${peer} to server.trustedProxies if it is your ingress.`
    return { about: peer, setting: 'server.trustedProxies', words }
  }
  if (reason === 'unknown_host') {
    const host = original?.host ?? ''
    const words = `The ingress asks about ${host}, which nothing protects. List it under forwardAuth.resources, or as publicUrl of a server.`
    return { about: host, setting: 'forwardAuth.resources', words }
  }
  const words = BODY_HINTS[reason]
  if (words !== undefined) return { about: reason, setting: 'with_request_body', words }
  if (!(error instanceof MissingField)) return undefined
  return {
    about: error.field,
    setting: 'forwardAuth',
    words: `The ingress does not send ${error.field}. Let it set that field in every request to this address.`,
  }
}
