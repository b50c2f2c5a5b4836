// Who calls, told to one server: made once for each principal, and again when half of the assertion's life is over. A call that finds it
// made pays for a look-up.
import type { ToldIdentity } from '../../config/identity-told.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { IdentityAttribute } from '../../protocol/identity-headers.ts'
import type { Principal } from '../../protocol/principal.ts'
import type { Caller } from '../caller.ts'
import { assertionField, identityFields } from './headers.ts'
import { identityMeta, type ToldMeta, untoldIn } from './meta.ts'

export interface IdentityNeeds {
  readonly told: ToldIdentity
  /** The server, as assertions name it. */
  readonly audience: string
  /** `freshUntil`: in milliseconds since the epoch. */
  mintAssertion(
    principal: Principal,
    audience: string,
    attributes: readonly IdentityAttribute[],
  ): { readonly jwt: string; readonly freshUntil: number }
  /** Something of the caller is longer than a head may be, and is left out. */
  onOmitted(principal: Principal, fields: readonly string[]): void
  readonly clock: Clock
}

/** What one server is told of one caller; the same object until something in it has to change. */
export interface Told {
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly meta: ToldMeta
}

export type TellIdentity = (caller: Caller) => Told

interface Held extends Told {
  readonly since: number
  readonly until: number
}

export function tellIdentity({ told, audience, mintAssertion, onOmitted, clock }: IdentityNeeds): TellIdentity {
  // By the object: there is one for each token that was proved, and what is known of it goes with it.
  const held = new WeakMap<Principal, Held>()
  const untold = untoldIn(told)

  function make(principal: Principal, since: number): Held {
    // Of nobody there is nothing to assert.
    const asserted = told.jwt && principal.kind !== 'anonymous'
    const assertion = asserted ? mintAssertion(principal, audience, told.attributes) : undefined
    return {
      headers: headersOf(principal, assertion?.jwt),
      meta: told.meta ? identityMeta(principal, told, assertion?.jwt) : untold,
      since,
      until: assertion?.freshUntil ?? Number.POSITIVE_INFINITY,
    }
  }

  function headersOf(principal: Principal, assertion: string | undefined): Held['headers'] {
    const { fields, omitted } = told.headers ? identityFields(principal, told) : { fields: [], omitted: [] }
    if (omitted.length > 0) onOmitted(principal, omitted)
    const all = assertion === undefined ? fields : [...fields, [assertionField(told), assertion] as const]
    if (all.length === 0) return undefined
    return Object.freeze(Object.fromEntries(all.map(([name, value]) => [name.toLowerCase(), value])))
  }

  return ({ principal }) => {
    const now = clock()
    const known = held.get(principal)
    // Made later than now: the clock was set back.
    if (known !== undefined && now < known.until && now >= known.since) return known
    const made = make(principal, now)
    held.set(principal, made)
    return made
  }
}
