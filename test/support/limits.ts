// Limits for tests: over the allowances of a real store, with the clock in hand.
import { Config, type ConfigInput } from '../../src/config/schema.ts'
import { type Admission, createLimits, type LimitRefusal, type Limits } from '../../src/policy/limits.ts'
import { openExchange } from '../../src/policy/limits-exchange.ts'
import type { Call } from '../../src/protocol/decision.ts'
import { ANONYMOUS, type Principal } from '../../src/protocol/principal.ts'
import type { Allowances } from '../../src/store/ephemeral.ts'
import { openStore } from '../../src/store/open.ts'

export const NOON = Date.UTC(2027, 0, 15, 12)

export interface TestLimits extends Limits {
  /** How many of so many calls get in. */
  pass(count: number, call: Call): Promise<number>
  /** `true`, or what refused it. */
  ask(call: Call): Promise<true | LimitRefusal>
  /** Whether the store answered when it was asked last. */
  readonly changes: boolean[]
}

export interface Given {
  readonly allowances: Allowances
  readonly clock: () => number
  readonly shared?: boolean
  readonly roles?: ConfigInput['roles']
}

export function testLimits(
  limits: ConfigInput['limits'],
  { allowances, clock, shared = false, roles }: Given,
): TestLimits {
  const config = Config.parse({ limits, ...(roles !== undefined && { roles }) })
  const changes: boolean[] = []
  const exchange = openExchange({ allowances, clock, onChange: (up) => void changes.push(up) })
  const made = createLimits(config, { clock, exchange, shared, onCrowded: () => undefined })
  const ask = async (call: Call) => {
    const admission = await made.admit(call)
    if (typeof admission !== 'function') return admission
    admission()
    return true as const
  }
  return {
    ...made,
    changes,
    ask,
    async pass(count, call) {
      const asked = await Promise.all(Array.from({ length: count }, () => ask(call)))
      return asked.filter((answer) => answer === true).length
    },
  }
}

export const openAllowances = async (): Promise<Allowances> =>
  (await openStore({ url: 'sqlite::memory:', directory: '' })).ephemeral.allowances

export const person = (subject: string, more: Partial<Principal> = {}): Principal => ({
  ...ANONYMOUS,
  kind: 'person',
  subject,
  identity: subject,
  method: 'access_token',
  ...more,
})

export const toolCall = (principal: Principal, name = 'search', server = 'github'): Call => ({
  principal,
  server,
  method: 'tools/call',
  kind: 'tool',
  name,
})

export function admitted(admission: Admission | Promise<Admission>): () => void {
  if (typeof admission === 'function') return admission
  throw new Error(`Not admitted at once: ${JSON.stringify(admission)}`)
}
