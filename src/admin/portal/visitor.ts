// Who sits at this browser: the person of its sign-in session at our origin, or a way through the sign-in pages and back.
import { randomBytes } from 'node:crypto'
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { parseForm } from '../../http/form.ts'
import { checkMethod } from '../../http/method.ts'
import { sendSeeOther } from '../../http/page.ts'
import type { Clock } from '../../protocol/clock.ts'
import { RequestError } from '../../protocol/errors.ts'
import type { Principal } from '../../protocol/principal.ts'
import { CONNECTIONS_PATH, SIGN_IN_CLIENT, SIGNED_IN_PATH } from '../../protocol/sign-in-client.ts'
import type { SealKey } from '../../tokens/seal.ts'
import { sealedNotes } from '../../tokens/sealed-note.ts'

export interface Visitor {
  readonly principal: Principal
  /** What they sign in as, where neither an e-mail address nor a name is known. */
  readonly called: string
  /** Names under which callers with tokens of others may be known before they have ever signed in here. */
  readonly subjects: readonly string[]
}

export interface VisitorNeeds {
  readonly serverUrl: string
  /** Account of this browser's sign-in session at our origin. */
  findAccount(exchange: Exchange): Promise<string | undefined>
  /** Throws BearerError or RequestError for one that is gone, disabled or not admitted. */
  findVisitor(account: string): Promise<Visitor>
  sealKeys(): readonly SealKey[]
  readonly clock: Clock
}

export interface Visitors {
  /** `undefined`: nobody, and the browser is on its way to the sign-in pages. */
  enter(exchange: Exchange): Promise<Visitor | undefined>
  /** Throws RequestError 403: a form, or an answer of somebody else's page, does not come through a sign-in. */
  known(exchange: Exchange): Promise<Visitor>
  /** Where the sign-in pages send the browser back to. */
  readonly signedIn: Endpoint
}

const BINDING = 'portal-start'
/** Signing in with a second factor on another device takes a while. */
const START_TTL = 30 * 60_000

export function visitors({ serverUrl, findAccount, findVisitor, sealKeys, clock }: VisitorNeeds): Visitors {
  const starts = sealedNotes({ sealKeys, clock, life: START_TTL })

  async function find(exchange: Exchange): Promise<Visitor | undefined> {
    const account = await findAccount(exchange)
    return account === undefined ? undefined : findVisitor(account)
  }

  /** RFC 6749 §4.1.1. Nobody redeems this code: the session is what was wanted. */
  function signInUrl({ path, query }: Exchange): string {
    const target = query === '' ? path : `${path}?${query}`
    const parameters = new URLSearchParams({
      response_type: 'code',
      client_id: SIGN_IN_CLIENT,
      redirect_uri: serverUrl + SIGNED_IN_PATH,
      scope: 'openid',
      resource: serverUrl + CONNECTIONS_PATH,
      code_challenge: randomBytes(32).toString('base64url'),
      code_challenge_method: 'S256',
      state: starts.seal(BINDING, { t: target.length > LONGEST ? path : target }),
    })
    return `${serverUrl}/oauth/authorize?${parameters}`
  }

  return {
    async enter(exchange) {
      const visitor = await find(exchange)
      if (visitor === undefined) sendSeeOther(exchange, signInUrl(exchange))
      return visitor
    },
    async known(exchange) {
      const visitor = await find(exchange)
      if (visitor === undefined) throw nobody()
      return visitor
    },
    async signedIn(exchange) {
      checkMethod(exchange, 'GET', 'HEAD')
      const form = parseForm(Buffer.from(exchange.query))
      const { t } = starts.open(BINDING, form.get('state') ?? '')?.said ?? {}
      if (typeof t !== 'string') throw unknownStart()
      if (form.has('error')) throw cancelled()
      // Back from the pages and still nobody: this browser keeps no cookies, and would go round for ever.
      if ((await findAccount(exchange)) === undefined) throw keepsNoCookies()
      sendSeeOther(exchange, t)
    },
  }
}

/** The note travels as a `state` parameter, which is kept short. */
const LONGEST = 1024

const nobody = () =>
  new RequestError(403, 'no_session', 'Nobody is signed in in this browser any more. Open your connections again.', {
    close: true,
  })
const unknownStart = () => new RequestError(400, 'sign_in_unknown', 'This sign-in has expired. Open the link again.')
const cancelled = () =>
  new RequestError(403, 'sign_in_cancelled', 'The sign-in was cancelled. Open the link again to sign in.')
const keepsNoCookies = () =>
  new RequestError(
    400,
    'no_session',
    'Nobody is signed in in this browser. Allow cookies for this site, then open the link again.',
  )
