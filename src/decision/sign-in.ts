// `/auth/sign-in`, on our own origin: where a protected host sends a browser that nobody is signed in with, and where the sign-in pages
// send it back to. Who is signed in here gets a one-time code for the host; who is not goes through an ordinary authorization request.
import { randomBytes } from 'node:crypto'
import type { Endpoint, Exchange } from '../http/exchange.ts'
import { parseForm } from '../http/form.ts'
import { checkMethod } from '../http/method.ts'
import { sendSeeOther } from '../http/page.ts'
import { RequestError } from '../protocol/errors.ts'
import { SIGN_IN_CLIENT, SIGN_IN_PATH } from '../protocol/sign-in-client.ts'
import { CODE } from './browser.ts'
import { type HandOff, hashOf, type Start } from './hand-off.ts'
import { checkOriginal } from './original.ts'
import type { Protected, ProtectedResources } from './protected.ts'
import { parseReturnAddress } from './return-address.ts'

interface Account {
  readonly email: string | undefined
  readonly disabled: boolean
  readonly admitted: boolean
}

interface Needs {
  readonly serverUrl: string
  readonly resources: ProtectedResources
  readonly handOff: HandOff
  /** Account of this browser's sign-in session at our origin. */
  findAccount(exchange: Exchange): Promise<string | undefined>
  findAttributes(subject: string): Promise<Account | undefined> | Account | undefined
}

export function signInEndpoint(needs: Needs): Endpoint {
  const { resources, handOff, findAccount, findAttributes } = needs

  return async function signIn(exchange) {
    checkMethod(exchange, 'GET', 'HEAD')
    const form = parseForm(Buffer.from(exchange.query))
    const start = readStart(form)
    const place = start && placeOf(start)
    if (start === undefined || place === undefined) throw unknownStart()
    if (form.has('error')) throw cancelled(place)
    const subject = await findAccount(exchange)
    if (subject !== undefined) return goBack(exchange, start, place, subject)
    // Back from the pages and still nobody: this browser keeps no cookies, and would go round for ever.
    if (form.has('code')) throw keepsNoCookies()
    sendSeeOther(exchange, authorizationUrl(needs, place, handOff.seal(start)))
  }

  function readStart(form: ReadonlyMap<string, string>): Start | undefined {
    const note = form.get('state')
    return note === undefined ? parseReturnAddress(form.get('rd') ?? '', resources) : handOff.open(note)
  }

  /** Protected still: the configuration may have changed since the note was sealed. */
  function placeOf({ origin, target }: Start): Protected | undefined {
    const [scheme, host = ''] = origin.split('://')
    return resources.find(checkOriginal({ method: 'GET', scheme, host, target }, resources.mayBePlain))
  }

  async function goBack(exchange: Exchange, start: Start, place: Protected, subject: string): Promise<void> {
    const account = await findAttributes(subject)
    if (account === undefined || account.disabled || !account.admitted || !place.admits(account.email))
      throw notAdmitted(place)
    const { origin, target, nonceHash } = start
    // It came by a link: the host itself sends it here again, with its own secret.
    if (nonceHash === undefined) return sendSeeOther(exchange, origin + target)
    const code = await handOff.mintCode({ origin, nonceHash, subject })
    sendSeeOther(exchange, `${origin}${target}${target.includes('?') ? '&' : '?'}${CODE}=${code}`)
  }
}

/** RFC 6749 §4.1.1. The verifier behind the challenge is thrown away: nobody redeems this code, the session is what was wanted. */
function authorizationUrl({ serverUrl }: Needs, { resource }: Protected, state: string): string {
  const parameters = new URLSearchParams({
    response_type: 'code',
    client_id: SIGN_IN_CLIENT,
    redirect_uri: serverUrl + SIGN_IN_PATH,
    scope: 'openid',
    resource: resource.url,
    code_challenge: hashOf(randomBytes(32).toString('base64url')),
    code_challenge_method: 'S256',
    state,
  })
  return `${serverUrl}/oauth/authorize?${parameters}`
}

const hostOf = ({ origin }: Protected): string => origin.slice(origin.indexOf('//') + 2)

const unknownStart = () =>
  new RequestError(
    400,
    'sign_in_unknown',
    'This sign-in has expired, or leads to no protected host. Open the page again.',
  )
const cancelled = (place: Protected) =>
  new RequestError(403, 'sign_in_cancelled', `The sign-in was cancelled. Open ${hostOf(place)} again to sign in.`)
const keepsNoCookies = () =>
  new RequestError(
    400,
    'no_session',
    'Nobody is signed in in this browser. Allow cookies for this site, then open the page again.',
  )
const notAdmitted = (place: Protected) =>
  new RequestError(
    403,
    'not_admitted',
    `This account is not admitted at ${hostOf(place)}. Sign out here first, then sign in with another.`,
  )
