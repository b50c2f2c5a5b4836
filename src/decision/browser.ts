// Browsers at a protected host: leaving for our sign-in, and coming back with a one-time code that becomes the host's own cookie.
import type { Credentials } from '../identity/way.ts'
import { RequestError } from '../protocol/errors.ts'
import { SIGN_IN_PATH } from '../protocol/sign-in-client.ts'
import { type HandOff, hashOf } from './hand-off.ts'
import { isReading } from './navigation.ts'
import type { Original } from './original.ts'
import type { Protected } from './protected.ts'
import type { SessionCookies, Shown } from './session-cookie.ts'
import { redirected, type Verdict } from './verdict.ts'

/** In the return address; never a parameter of ours in an address that a server behind sees. */
export const CODE = 'portcullis_code'

interface Needs {
  readonly cookies: SessionCookies
  readonly handOff: HandOff
  readonly serverUrl: string
}

export interface Browsers {
  /** Who signed in at this host in this browser. */
  session(credentials: Credentials, guarded: Protected): Shown
  /** Off to the sign-in page, and back to the same address afterwards. */
  leave(original: Original, credentials: Credentials, guarded: Protected): Verdict
  /** `undefined` for a request without a code. Throws RequestError 403 for the code of another browser. */
  arrive(
    original: Original,
    credentials: Credentials,
    guarded: Protected,
  ): Promise<{ verdict: Verdict; subject: string | undefined }> | undefined
}

export function browsers({ cookies, handOff, serverUrl }: Needs): Browsers {
  const cookiesOf = (credentials: Credentials): string | undefined => credentials.field('cookie')[0]

  function leaveFor(target: string, credentials: Credentials, { origin }: Protected): Verdict {
    const { nonce, line } = cookies.startOf(cookiesOf(credentials), origin)
    const note = handOff.seal({ origin, target, nonceHash: hashOf(nonce) })
    return redirected(`${serverUrl}${SIGN_IN_PATH}?state=${note}`, 'to_sign_in', [line])
  }

  async function arrive(code: string, target: string, credentials: Credentials, guarded: Protected) {
    const { origin } = guarded
    const nonce = cookies.nonce(cookiesOf(credentials), origin)
    const arrival = await handOff.consumeCode(code, { origin, nonce })
    if (arrival.status !== 'arrived') {
      const held = cookies.read(cookiesOf(credentials), origin)
      // Reloaded, bookmarked, or opened by a second tab: the code is used up, and nobody needs it.
      if (held !== undefined && held !== 'ended')
        return { verdict: redirected(origin + target, 'signed_in_already'), subject: undefined }
      if (arrival.status === 'unknown') return { verdict: leaveFor(target, credentials, guarded), subject: undefined }
      // Not back to the sign-in: a browser that keeps no cookies would go round for ever.
      throw new RequestError(
        403,
        'sign_in_elsewhere',
        'This sign-in was started in another browser, or this one keeps no cookies.',
      )
    }
    const line = cookies.issue(origin, arrival.subject)
    return { verdict: redirected(origin + target, 'signed_in', [line]), subject: arrival.subject }
  }

  return {
    session: (credentials, { origin }) => cookies.read(cookiesOf(credentials), origin),
    leave: (original, credentials, guarded) => leaveFor(returnTarget(original), credentials, guarded),
    arrive(original, credentials, guarded) {
      const { code, query } = takeCode(original.query)
      return code === undefined ? undefined : arrive(code, targetOf(original.path, query), credentials, guarded)
    },
  }
}

/** A cheap look: hardly any request does. */
export const carriesCode = ({ method, query }: Original): boolean => query.includes(CODE) && isReading(method)

const targetOf = (path: string, query: string): string => (query === '' ? path : `${path}?${query}`)

/** What a form would have sent is gone by then: its address is opened instead. */
const returnTarget = ({ path, query }: Original): string => targetOf(path, takeCode(query).query)

/** The rest stays letter for letter what it was. */
function takeCode(query: string): { code: string | undefined; query: string } {
  if (!query.includes(CODE)) return { code: undefined, query }
  const pairs = query.split('&')
  const [code] = pairs.filter((pair) => pair.startsWith(`${CODE}=`))
  return {
    code: code?.slice(CODE.length + 1),
    query: pairs.filter((pair) => !pair.startsWith(`${CODE}=`)).join('&'),
  }
}
