// The realm `mcp` of Kuadrant's guide as an authorization server that is not ours: a real Keycloak where there is one, else the same realm
// on oidc-provider. Both have the person mcp/mcp, their groups and roles, dynamic registration, and a client for our own sign-in.
import { startKeycloak } from './keycloak.ts'
import { startImitation } from './realm-imitation.ts'

export interface Realm {
  readonly product: 'Keycloak' | 'oidc-provider'
  /** Why it is not the other one. */
  readonly why: string
  readonly issuer: string
  /** Audience that tokens are given by its scopes, where clients cannot ask for one (RFC 8707). */
  nameAudience(resource: string): Promise<void>
  /** Where the sign-in client may be sent back to. */
  allowRedirect(uri: string): Promise<void>
  stop(): Promise<void>
}

/** Found by the environment; what a machine has or has not is no reason to test less. */
export async function startRealm(): Promise<Realm> {
  const { KEYCLOAK_HOME: home, KEYCLOAK_URL: url } = process.env
  if (home !== undefined || url !== undefined) return startKeycloak({ home, url })
  return startImitation(
    'neither KEYCLOAK_HOME (an unpacked distribution) nor KEYCLOAK_URL (one in development mode) is set',
  )
}
