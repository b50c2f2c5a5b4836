// The authorization endpoint, RFC 6749 §3.1: GET or POST, and where the browser comes back to after our pages.
import type { Endpoint, Exchange } from '../http/exchange.ts'
import type { Form } from '../http/form.ts'
import { checkMethod } from '../http/method.ts'
import { RequestError } from '../protocol/errors.ts'
import type { AnsweredHere } from './answered.ts'
import { answeringBrowsers, type Refused } from './answers.ts'
import type { Library } from './library.ts'
import { readAuthorizationRequest, serialise } from './parameters.ts'

export const AUTHORIZATION_ROUTE = '/oauth/authorize'

interface Needs {
  readonly library: Library
  readonly refused: Refused
  readonly bodyTimeout: number
}

export function authorizationEndpoint({ library, bodyTimeout, refused }: Needs): Endpoint {
  return answeringBrowsers(refused, async (exchange) => {
    checkMethod(exchange, 'GET', 'POST')
    const form = new Map(await readAuthorizationRequest(exchange, bodyTimeout))
    // Answers travel in the query only (no fragment, no form_post): a mode the library does not know is refused by it, to the client.
    if (form.has('response_mode') && form.get('response_mode') !== 'query') form.set('response_mode', 'not_offered')
    await sendAuthorizationRequest(library, exchange, form)
  })
}

/** Answers the exchange: with our pages, or with what the client is told. */
export async function sendAuthorizationRequest(library: Library, exchange: Exchange, form: Form): Promise<void> {
  hideReferrer(exchange)
  await library.call(exchange, {
    method: 'GET',
    target: `${AUTHORIZATION_ROUTE}?${serialise(form)}`,
    credentials: 'cookies',
  })
}

type ResumeNeeds = Omit<Needs, 'bodyTimeout'> & { readonly answered: Pick<AnsweredHere, 'has'> }

export function resumeEndpoint({ library, refused, answered }: ResumeNeeds, uid: string): Endpoint {
  return answeringBrowsers(refused, async (exchange) => {
    checkMethod(exchange, 'GET')
    hideReferrer(exchange)
    const interaction = await library.page(exchange, (current) => current.Interaction.find(uid))
    if (interaction?.result !== undefined && !answered.has(exchange, interaction.cid))
      throw new RequestError(403, 'interaction_elsewhere', 'This sign-in was answered in another browser.')
    await library.call(exchange, { method: 'GET', target: `${AUTHORIZATION_ROUTE}/${uid}`, credentials: 'cookies' })
  })
}

/** RFC 9700 §4.2.4: codes and states are in these URLs. */
const hideReferrer = ({ res }: Exchange): void => void res.setHeader('Referrer-Policy', 'no-referrer')
