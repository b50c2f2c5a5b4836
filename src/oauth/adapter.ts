// The library's storage, RFC by RFC: each kind of document has its own small translator into our store.
import type { Adapter, AdapterPayload, KoaContextWithOIDC } from 'oidc-provider'
import Provider from 'oidc-provider'
import type { OAuthConfig } from '../config/oauth.ts'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Durable } from '../store/durable.ts'
import type { Ephemeral } from '../store/ephemeral.ts'
import type { Acts } from './acts.ts'
import { artifactAdapter, replayAdapter } from './artifacts.ts'
import { clientAdapter } from './clients.ts'
import { codeAdapter } from './codes.ts'
import { familyAdapter, type RevokeFamily } from './families.ts'
import { openedCounter } from './opened.ts'
import { refreshAdapter } from './refresh.ts'
import { accessTokenAdapter } from './token-handles.ts'

interface Needs {
  readonly durable: Durable
  readonly ephemeral: Ephemeral
  readonly acts: Acts
  readonly clock: Clock
  readonly log: Pick<Log, 'error'>
  readonly oauth: OAuthConfig
  readonly startedAt: number
  readonly revokeFamily: RevokeFamily
  onRevocation(): Promise<void>
  /** What is a client by the configuration alone. */
  findUnstoredClient(id: string): AdapterPayload | undefined
  /** The account is known and a code is about to be stored. */
  settleConsent(ctx: KoaContextWithOIDC): Promise<void>
}

export function createAdapters(needs: Needs): (kind: string) => Adapter {
  const { durable, ephemeral, acts, clock, log, oauth, startedAt, revokeFamily, onRevocation, settleConsent } = needs
  const { artifacts, marks } = ephemeral
  const { accessTokenTtl } = oauth
  const { families, revocations } = durable
  const interactions = artifactAdapter('Interaction', { artifacts, clock })
  const countOpened = openedCounter({ counters: ephemeral.counters, clock })

  const adapters: Readonly<Record<string, Adapter>> = {
    Client: clientAdapter({
      clients: durable.clients,
      revocations,
      findUnstored: needs.findUnstoredClient,
      clock,
      accessTokenTtl,
      onRevocation,
      neverUsedTtl: oauth.registration.neverUsedTtl,
      acts,
      log,
    }),
    Grant: familyAdapter({ families, clock, revokeFamily, reasonNow }),
    RefreshToken: refreshAdapter({
      refreshTokens: durable.refreshTokens,
      clock,
      retryWindow: oauth.refreshToken.retryWindow,
      startedAt,
      revokeFamily,
    }),
    AccessToken: accessTokenAdapter({ revocations, acts, clock, onRevocation }),
    AuthorizationCode: codeAdapter({ artifacts, clock, settleConsent }),
    Interaction: {
      ...interactions,
      async upsert(id, payload, ttl) {
        if (Provider.ctx?.oidc?.route === 'authorization') await countOpened()
        await interactions.upsert(id, payload, ttl)
      },
    },
    Session: artifactAdapter('Session', { artifacts, clock }),
    RegistrationAccessToken: artifactAdapter('RegistrationAccessToken', { artifacts, clock }),
    ReplayDetection: replayAdapter({ marks, clock }),
  }
  return (kind) => {
    const adapter = adapters[kind]
    if (!adapter) throw new TypeError(`the library asks for ${kind}, which is not offered`)
    return adapter
  }
}

/** Why the library ends a family, seen from the request in which it does. */
function reasonNow(): string {
  const oidc = Provider.ctx?.oidc
  if (oidc?.route === 'revocation') return 'revoked_by_client'
  return oidc?.params?.['grant_type'] === 'authorization_code' ? 'code_replayed' : 'refresh_token_reused'
}
