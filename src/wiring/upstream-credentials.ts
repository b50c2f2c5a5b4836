// What servers behind the gate are given as credential, on the ground of the gateway: where tokens are had, whose word counts, who signs.
import { readFile } from 'node:fs/promises'
import type { OpenidProviderConfig } from '../config/identity.ts'
import type { Config } from '../config/schema.ts'
import { type UpstreamConfig, upstreamsOf } from '../config/servers.ts'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Vault } from '../protocol/vault.ts'
import type { MintAssertion } from '../tokens/assertion.ts'
import { type TokenEndpoint, tokenEndpoint } from '../upstreams/authorization-server/token-endpoint.ts'
import type { Credential } from '../upstreams/credential.ts'
import { type CredentialNeeds, openCredential } from '../upstreams/credentials/open.ts'
import { presentedToken } from '../upstreams/credentials/presented.ts'
import { type SignIns, signInTokens } from '../upstreams/credentials/sign-in-tokens.ts'
import type { OpenConnections } from './connections.ts'
import { credentialFetches } from './credential-fetches.ts'
import type { Names } from './names.ts'

interface Needs {
  readonly config: Config
  readonly vault: Vault
  readonly connections: Pick<OpenConnections, 'oauth' | 'secret'>
  readonly mintAssertion: MintAssertion
  readonly names: Names
  readonly clock: Clock
  readonly log: Log
  /** What was asked for ahead of time, and did not come; `server`: or the identity provider. */
  onFailure(server: string, error: unknown): void
}

export interface UpstreamCredentials {
  /** Throws OperatorError. */
  open(server: UpstreamConfig): Promise<Credential>
  /** What identity providers gave at sign-in; `undefined` where no server's credential is had with it. */
  readonly signIns: SignIns | undefined
}

export function openUpstreamCredentials({
  config,
  vault,
  connections,
  mintAssertion,
  names,
  clock,
  log,
  onFailure,
}: Needs): UpstreamCredentials {
  const fetches = credentialFetches(names)
  const needsOf = (id: string) => ({ fetches, clock, onFailure: (error: unknown) => onFailure(id, error) })
  const wanted = wantsSignIn(config)
  const endpoints = new Map(
    (wanted ? openidProviders(config) : []).map((provider) => [
      provider.id,
      tokenEndpoint(provider, needsOf(provider.id)),
    ]),
  )
  const signIns = signInTokens({ vault, clock, endpoints })
  const shared: Omit<CredentialNeeds, keyof ReturnType<typeof needsOf>> = {
    presented: presentedToken({
      header: config.auth.header.toLowerCase(),
      issuers: new Set(config.auth.issuers.map(({ issuer }) => issuer)),
    }),
    providerAt: (issuer) => openidProviders(config).find((provider) => provider.issuer === issuer)?.id,
    signIns,
    assertion: (principal, audience) => mintAssertion(principal, audience).jwt,
    ...valuePlaces,
    vault,
    log,
    providerOf: (id) => providerOf(id, endpoints),
    oauth: connections.oauth,
    secret: connections.secret,
  }
  return {
    open: (server) => openCredential(server, { ...shared, ...needsOf(server.id) }),
    signIns: wanted ? signIns : undefined,
  }
}

/** Where values are that are not written in the configuration. */
export const valuePlaces = {
  env: process.env,
  readFile: (path: string) => readFile(path, 'utf8'),
}

const wantsSignIn = ({ servers }: Pick<Config, 'servers'>): boolean =>
  upstreamsOf(servers).some(
    ({ credentials }) =>
      credentials.type === 'id-jag' || ('subject' in credentials && credentials.subject === 'sign-in'),
  )

const OTHER_KINDS: ReadonlySet<string> = new Set(['local', 'github', 'delegated'])

const openidProviders = ({ identity }: Config): OpenidProviderConfig[] =>
  identity.providers.filter((provider): provider is OpenidProviderConfig => !OTHER_KINDS.has(provider.type))

/** Throws TypeError with what the operator has to change. */
function providerOf(id: string | undefined, endpoints: ReadonlyMap<string, TokenEndpoint>) {
  const [only, ...further] = [...endpoints].filter(([known]) => id === undefined || known === id)
  if (only === undefined)
    throw new TypeError(`there is no OpenID provider${id === undefined ? '' : ` called ${id}`} in identity.providers.`)
  if (further.length > 0) throw new TypeError('name one of identity.providers in provider: there are several.')
  return only
}
