// The tokens of a connection in the vault: one secret, so that none of them is ever there without the others.
import { type SecretPlace, type SecretStored, SecretUnreadable, type Vault } from '../../protocol/vault.ts'
import { CredentialFailed } from '../credential.ts'
import type { AuthorizationServer } from './metadata.ts'
import type { Tokens } from './token.ts'

export interface HeldTokens {
  readonly accessToken: string
  readonly refreshToken?: string
  readonly expiresAt?: number
  readonly obtainedAt: number
  /** Exchanged because the server refused the one before. */
  readonly forced?: true
  readonly scopes: readonly string[]
  readonly resource?: string
  /** Where the server was when they were given: they go nowhere else. */
  readonly home: string
  readonly clientId: string
  /** Who gave them, and who alone is ever sent the refresh token. */
  readonly server: AuthorizationServer
}

export interface Held {
  readonly tokens: HeldTokens
  /** Of the secret, in the vault. */
  readonly version: number
}

export interface TokensHeld {
  find(principal: string, server: string): Promise<Held | undefined>
  /** The same, but for changes that another replica made this moment. */
  findNewest(principal: string, server: string): Promise<Held | undefined>
  put(principal: string, server: string, tokens: HeldTokens, expectedVersion?: number): Promise<SecretStored>
  remove(principal: string, server: string, expectedVersion?: number): Promise<boolean>
}

export function tokensHeld(vault: Pick<Vault, 'get' | 'put' | 'remove'> & { poll(): Promise<void> }): TokensHeld {
  async function find(principal: string, server: string): Promise<Held | undefined> {
    const found = await vault.get(tokensPlace(principal, server)).catch(unreadable)
    if (found === undefined) return undefined
    const tokens = JSON.parse(found.secret.toString()) as HeldTokens
    found.secret.fill(0)
    return { tokens, version: found.version }
  }
  return {
    find,
    async findNewest(principal, server) {
      await vault.poll()
      return find(principal, server)
    },
    put: (principal, server, tokens, expectedVersion) =>
      vault.put(
        tokensPlace(principal, server),
        Buffer.from(JSON.stringify(tokens)),
        expectedVersion === undefined ? {} : { expectedVersion },
      ),
    remove: (principal, server, expectedVersion) =>
      vault.remove(tokensPlace(principal, server), expectedVersion === undefined ? {} : { expectedVersion }),
  }
}

function unreadable(cause: unknown): never {
  if (!(cause instanceof SecretUnreadable)) throw cause
  throw new CredentialFailed(cause.reason, 'The tokens of this connection do not open.', { cause })
}

export const tokensPlace = (principal: string, upstream: string): SecretPlace => ({
  principal,
  upstream,
  field: 'oauth_tokens',
})

interface From {
  readonly tokens: Tokens
  readonly now: number
  readonly resource: string | undefined
  /** Asked for, or had before. */
  readonly scopes: readonly string[]
  readonly clientId: string
  readonly server: AuthorizationServer
  readonly home: string
  /** RFC 6749 §6: an answer without a new refresh token leaves the one before in force. */
  readonly before?: string | undefined
  readonly forced?: boolean
}

export function heldTokens({
  tokens,
  now,
  resource,
  scopes,
  clientId,
  server,
  home,
  before,
  forced = false,
}: From): HeldTokens {
  const refreshToken = tokens.refreshToken ?? before
  return {
    accessToken: tokens.accessToken,
    ...(refreshToken !== undefined && { refreshToken }),
    ...(tokens.expiresIn !== undefined && { expiresAt: now + tokens.expiresIn * 1000 }),
    obtainedAt: now,
    ...(forced && { forced: true as const }),
    // RFC 6749 §5.1: without a word of it, what was asked for.
    scopes: tokens.scopes ?? scopes,
    ...(resource !== undefined && { resource }),
    home,
    clientId,
    server,
  }
}
