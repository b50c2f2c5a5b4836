// The token endpoint, RFC 6749 §3.2: our checks before the library spends anything.
import { errors } from 'oidc-provider'
import type { Endpoint, Exchange } from '../http/exchange.ts'
import type { Form } from '../http/form.ts'
import { checkMethod } from '../http/method.ts'
import type { Clock } from '../protocol/clock.ts'
import { parseScope } from '../protocol/scope.ts'
import type { Artifacts } from '../store/ephemeral.ts'
import { answeringClients, type Refused } from './answers.ts'
import { sha256 } from './hash.ts'
import type { Library } from './library.ts'
import { readPostedRequest, serialise, TOKEN } from './parameters.ts'

export const TOKEN_ROUTE = '/oauth/token'

interface Needs {
  readonly library: Library
  readonly artifacts: Pick<Artifacts, 'find'>
  readonly clock: Clock
}

/** Answers the exchange. `refusal`: the sentence of an `invalid_grant`, in place of the library's. */
export type SendTokenRequest = (exchange: Exchange, form: Form, refusal?: string) => Promise<void>

export function tokenRequests({ library, artifacts, clock }: Needs): SendTokenRequest {
  const redeem = oneAtATime()

  /** A code says what it holds. Asking for more is refused and the code stays good (RFC 6749 §6, RFC 8707 §2.2: the same rules as for refreshing). */
  async function checkNotWidened(form: Form, codeHash: string): Promise<void> {
    const [scope, resource] = [form.get('scope'), form.get('resource')]
    if (scope === undefined && resource === undefined) return
    const code = await artifacts.find('AuthorizationCode', codeHash, clock())
    if (!code) return
    const held = code.payload['scope']
    const granted = typeof held === 'string' ? parseScope(held) : []
    if (!parseScope(scope ?? '').every((name) => granted.includes(name)))
      throw new errors.InvalidScope('more than was granted is asked for', scope ?? '')
    if (resource !== undefined && code.payload['resource'] !== resource) throw new errors.InvalidTarget()
  }

  return async function send(exchange, form, refusal) {
    const call = () =>
      library.call(
        exchange,
        {
          method: 'POST',
          target: TOKEN_ROUTE,
          credentials: 'authorization',
          body: { type: 'application/x-www-form-urlencoded', text: serialise(form) },
        },
        refusal === undefined ? {} : { refusal },
      )
    const code = form.get('code')
    if (code === undefined) return call()
    const codeHash = sha256(code)
    await checkNotWidened(form, codeHash)
    await redeem(codeHash, call)
  }
}

interface EndpointNeeds {
  readonly send: SendTokenRequest
  readonly bodyTimeout: number
  readonly refused: Refused
}

export function tokenEndpoint({ send, bodyTimeout, refused }: EndpointNeeds): Endpoint {
  return answeringClients(refused, async (exchange) => {
    checkMethod(exchange, 'POST')
    await send(exchange, await readPostedRequest(exchange, TOKEN, bodyTimeout))
  })
}

/** A replayed code kills its family (RFC 6749 §4.1.2): the first redemption is finished before the second can be a replay. */
function oneAtATime(): (key: string, work: () => Promise<void>) => Promise<void> {
  const last = new Map<string, Promise<void>>()
  return async (key, work) => {
    const before = last.get(key)
    const mine = (async () => {
      await before?.catch(() => undefined)
      await work()
    })()
    last.set(key, mine)
    try {
      await mine
    } finally {
      if (last.get(key) === mine) last.delete(key)
    }
  }
}
