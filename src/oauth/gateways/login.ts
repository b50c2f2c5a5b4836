// Where another gateway sends the browser: an authorization request of its own client, with our consent before any provider, bound
// to this browser, and the answer for its callback alone. What the query says is checked first; nothing of it reaches a URL unchecked.

import type { Endpoint } from '../../http/exchange.ts'
import { checkMethod } from '../../http/method.ts'
import { RequestError } from '../../protocol/errors.ts'
import { answeringBrowsers, type Refused } from '../answers.ts'
import { sendAuthorizationRequest } from '../authorize.ts'
import type { Library } from '../library.ts'
import { readLogin } from '../parameters.ts'
import type { GatewayClients } from './clients.ts'

export const LOGIN_ROUTE = '/login'

interface Needs {
  readonly library: Library
  readonly gateways: GatewayClients
  /** Ids of the providers; `local` for local accounts. */
  readonly providers: readonly string[]
  readonly refused: Refused
}

export function loginEndpoint({ library, gateways, providers, refused }: Needs): Endpoint {
  return answeringBrowsers(refused, async (exchange) => {
    checkMethod(exchange, 'GET')
    const asked = readLogin(exchange)
    // Beside a gateway's callback `redirect_uri` is ours at the identity provider, which nobody tells us; alone it is the caller's own.
    const gateway = gateways.ofUri(asked.get('gateway_uri') ?? asked.get('redirect_uri') ?? '')
    if (gateway === undefined) throw gatewayUriRefused()
    const provider = asked.get('provider')
    checkProvider(provider, providers)
    const state = asked.get('state')
    await sendAuthorizationRequest(
      library,
      exchange,
      new Map([
        ['response_type', 'code'],
        ['client_id', gateway.id],
        ['redirect_uri', gateway.uri],
        ['resource', gateway.resource.url],
        ['scope', gateway.resource.scopes.join(' ')],
        ['code_challenge', gateway.challenge],
        ['code_challenge_method', 'S256'],
        ...(state === undefined ? [] : [['state', state] as const]),
        // Who is signed in here may have come by another provider than the one that was asked for.
        ...(provider === undefined ? [] : [['provider', provider] as const, ['prompt', 'login'] as const]),
      ]),
    )
  })
}

export const gatewayUriRefused = () => new RequestError(400, 'gateway_uri_not_authorized', 'Gateway URI not authorized')

/** A gateway that names none leaves the choice to the person. */
export function checkProvider(provider: string | undefined, known: readonly string[]): void {
  if (provider !== undefined && !known.includes(provider))
    throw new RequestError(
      400,
      'unsupported_provider',
      `Unsupported provider: ${provider.slice(0, 64)}. Available: ${known.join(', ')}`,
    )
}
