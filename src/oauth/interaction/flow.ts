// What the pages may know of an authorization request, and what they may do with it. The library stays behind this line:
// a page writes a result and returns to the library; it never names the next page.
import type { Exchange } from '../../http/exchange.ts'

export interface Interaction {
  readonly uid: string
  readonly prompt: 'consent' | 'login'
  readonly client: {
    readonly id: string
    /** As the client says it; hostile text. */
    readonly name: string
    readonly kind: 'configured' | 'registered' | 'document' | 'gateway'
    /** Host of the client's metadata document, for `document`. */
    readonly documentHost: string | undefined
  }
  readonly redirectUri: string
  /** `web`: https; `loopback`: any local program can be behind it; `scheme`: a private-use scheme. */
  readonly redirectKind: 'web' | 'loopback' | 'scheme'
  readonly resource: { readonly url: string; readonly title: string }
  readonly scopes: readonly { readonly name: string; readonly title: string }[]
  /** Id of the only provider this may be signed in with (`local` for local accounts); `undefined`: any. */
  readonly provider: string | undefined
  /** Account already signed in in this browser. */
  readonly account: string | undefined
  /** This person allowed exactly this before: a short `continue as …` page instead of the long one. */
  readonly remembered: boolean
}

export interface SignIn {
  readonly account: string
  /** RFC 8176: `pwd`, or `fed` for a federated sign-in. */
  readonly amr: readonly string[]
}

export interface Interactions {
  /** By the path's uid and this browser's interaction cookie. Throws RequestError 400 (unknown, expired, finished) or 403 (another browser). */
  find(exchange: Exchange, uid: string): Promise<Interaction>
  /** Each of the three answers the browser with 303. */
  allow(exchange: Exchange, interaction: Interaction): Promise<void>
  deny(exchange: Exchange, interaction: Interaction): Promise<void>
  signIn(exchange: Exchange, interaction: Interaction, signIn: SignIn): Promise<void>
  /** For the identity provider's callback, which comes without the interaction's path-scoped cookie; the caller has proved the browser. Answers where to send it. */
  signInByUid(exchange: Exchange, uid: string, signIn: SignIn): Promise<string>
  denyByUid(exchange: Exchange, uid: string, error: { error: string; description: string }): Promise<string>
  /** Account of this browser's sign-in session. */
  findAccount(exchange: Exchange): Promise<string | undefined>
  /** Ends this browser's sign-in session; issued tokens stay (they are other families). */
  endSession(exchange: Exchange): Promise<void>
}
