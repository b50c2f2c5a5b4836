// What a person's identity provider gave at sign-in, kept in the vault where a server's credential is had with it, and renewed there
// (RFC 6749 §6). One person's refresh token is spent by one of us at a time; another replica's newer one counts.
import type { Clock } from '../../protocol/clock.ts'
import { parseRecord } from '../../protocol/json.ts'
import type { ProviderTokens } from '../../protocol/provider-tokens.ts'
import { type SecretPlace, SecretUnreadable, type Vault } from '../../protocol/vault.ts'
import type { TokenEndpoint } from '../authorization-server/token-endpoint.ts'
import { CredentialFailed } from '../credential.ts'
import { unverifiedExpiry } from '../unverified-claims.ts'

export type SignInToken = 'access_token' | 'id_token'

export interface SignIns {
  /** One that is good for a while. Rejects with CredentialFailed: the person has to sign in again. */
  tokenOf(subject: string, provider: string | undefined, type: SignInToken): Promise<string>
  keep(subject: string, tokens: ProviderTokens): Promise<void>
  forget(subject: string): Promise<void>
}

interface Needs {
  readonly vault: Vault
  readonly clock: Clock
  /** Of each provider whose tokens are used. */
  readonly endpoints: ReadonlyMap<string, TokenEndpoint>
}

/** What ends sooner is not begun with. */
const AHEAD = 60_000
/** RFC 6749 §5.1 only recommends `expires_in`. */
const UNSAID = 5 * 60_000

const placeOf = (subject: string): SecretPlace => ({ principal: subject, upstream: 'sign-in', field: 'tokens' })

export function signInTokens({ vault, clock, endpoints }: Needs): SignIns {
  const renewing = new Map<string, Promise<ProviderTokens>>()

  async function read(subject: string): Promise<{ readonly tokens: ProviderTokens; readonly version: number }> {
    const kept = await vault.get(placeOf(subject)).catch(unreadable)
    const tokens = kept && (parseRecord(kept.secret.toString()) as ProviderTokens | undefined)
    kept?.secret.fill(0)
    if (kept === undefined || tokens === undefined) throw signInAgain('nothing is kept of their sign-in')
    return { tokens, version: kept.version }
  }

  async function write(subject: string, tokens: ProviderTokens, expectedVersion?: number): Promise<boolean> {
    const secret = Buffer.from(JSON.stringify(tokens))
    const stored = await vault.put(placeOf(subject), secret, expectedVersion === undefined ? {} : { expectedVersion })
    secret.fill(0)
    return stored.status === 'stored'
  }

  async function renew(subject: string): Promise<ProviderTokens> {
    const { tokens, version } = await read(subject)
    const endpoint = endpoints.get(tokens.provider)
    if (tokens.refreshToken === undefined || endpoint === undefined) throw signInAgain('it has ended')
    try {
      const had = await endpoint.ask({ grant_type: 'refresh_token', refresh_token: tokens.refreshToken })
      const { accessToken, refreshToken = tokens.refreshToken, idToken = tokens.idToken } = had
      const { endsAt = clock() + UNSAID } = had
      const renewed = { provider: tokens.provider, accessToken, idToken, refreshToken, endsAt }
      // A sign-in that came meanwhile is newer than this.
      return (await write(subject, renewed, version)) ? renewed : (await read(subject)).tokens
    } catch (error) {
      const now = await read(subject)
      // Another replica was faster, and has spent what we came with.
      if (now.version !== version) return now.tokens
      throw error
    }
  }

  function renewOnce(subject: string): Promise<ProviderTokens> {
    const running = renewing.get(subject) ?? renew(subject).finally(() => renewing.delete(subject))
    renewing.set(subject, running)
    return running
  }

  return {
    async tokenOf(subject, provider, type) {
      const { tokens } = await read(subject)
      if (provider !== undefined && tokens.provider !== provider)
        throw signInAgain(`they signed in at ${tokens.provider}, not at ${provider}`)
      const isGood = (held: ProviderTokens) => endOf(held, type) - AHEAD > clock()
      const used = isGood(tokens) ? tokens : await renewOnce(subject)
      // Some providers' tokens live no longer than what we begin with.
      if (used !== tokens && endOf(used, type) <= clock()) throw signInAgain('what its renewal gave has ended')
      return type === 'id_token' ? used.idToken : used.accessToken
    },
    async keep(subject, tokens) {
      await write(subject, tokens.endsAt === undefined ? { ...tokens, endsAt: clock() + UNSAID } : tokens)
    },
    async forget(subject) {
      await vault.remove(placeOf(subject))
    },
  }
}

/** The vault has told it. */
function unreadable(cause: unknown): never {
  if (!(cause instanceof SecretUnreadable)) throw cause
  const passing = cause.reason === 'vault_key_unavailable'
  throw new CredentialFailed('secret_unreadable', 'What is kept of a sign-in does not open.', { cause, passing })
}

const signInAgain = (why: string) =>
  new CredentialFailed('sign_in_ended', `The person has to sign in at their identity provider again: ${why}.`)

const endOf = ({ idToken, endsAt = 0 }: ProviderTokens, type: SignInToken): number =>
  // The ID token was checked when it came.
  type === 'id_token' ? (unverifiedExpiry(idToken) ?? 0) : endsAt
