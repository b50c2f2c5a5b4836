// What credentials are given by the gateway, in a test's hands: the real outbound fetch, a clock, a vault in memory, one caller.
import { type RemoteServerConfig, servers } from '../../src/config/servers.ts'
import { outboundFetch } from '../../src/http/outbound.ts'
import { ANONYMOUS, type Principal } from '../../src/protocol/principal.ts'
import type { SecretPlace, Vault } from '../../src/protocol/vault.ts'
import type { Caller } from '../../src/upstreams/caller.ts'
import type { Credential } from '../../src/upstreams/credential.ts'
import { type CredentialNeeds, openCredential } from '../../src/upstreams/credentials/open.ts'
import { presentedToken } from '../../src/upstreams/credentials/presented.ts'
import { signInTokens } from '../../src/upstreams/credentials/sign-in-tokens.ts'
import { systemNames } from '../../src/upstreams/network/names.ts'
import type { Given } from '../../src/upstreams/upstream.ts'

const HOST = { maxBytes: 256 * 1024, timeout: 10_000, allowLoopback: false, resolve: systemNames() }

export function memoryVault(): Vault & { readonly places: Map<string, Buffer> } {
  const places = new Map<string, Buffer>()
  const versions = new Map<string, number>()
  const name = ({ principal, upstream, field }: SecretPlace) => `${principal}/${upstream}/${field}`
  return {
    places,
    async get(place) {
      const secret = places.get(name(place))
      return secret && { secret: Buffer.from(secret), version: versions.get(name(place)) ?? 0 }
    },
    async put(place, secret, { expectedVersion } = {}) {
      const before = versions.get(name(place)) ?? 0
      if (expectedVersion !== undefined && expectedVersion !== before) return { status: 'conflict' }
      places.set(name(place), Buffer.from(secret))
      versions.set(name(place), before + 1)
      return { status: 'stored', version: before + 1 }
    },
    remove: async (place) => places.delete(name(place)),
    list: async () => [],
  }
}

export interface TestNeeds extends Omit<CredentialNeeds, 'vault' | 'env'> {
  readonly vault: ReturnType<typeof memoryVault>
  readonly time: { now: number }
  readonly files: Map<string, string>
  readonly env: Record<string, string>
  /** Lines of the log, and what failed behind everybody's back. */
  readonly told: string[]
}

export function credentialNeeds(own: Partial<TestNeeds> = {}): TestNeeds {
  const time = { now: 1_800_000_000_000 }
  const told: string[] = []
  const files = new Map<string, string>()
  const vault = memoryVault()
  const clock = () => time.now
  const tell = (object: object, message: string) => void told.push(`${message} ${JSON.stringify(object)}`)
  return {
    time,
    told,
    files,
    env: {},
    vault,
    clock,
    fetches: {
      configured: outboundFetch({ ...HOST, configured: true }),
      named: outboundFetch(HOST),
    },
    onFailure: (error) => void told.push(String(error)),
    presented: presentedToken({
      header: 'authorization',
      issuers: new Set(['https://id.example', 'https://other.example']),
    }),
    providerAt: () => undefined,
    signIns: signInTokens({ vault, clock, endpoints: new Map() }),
    assertion: ({ subject }, audience) => `assertion.${subject}.${Buffer.from(audience).toString('base64url')}`,
    async readFile(path) {
      const text = files.get(path)
      if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
      return text
    },
    log: { info: tell, warn: tell },
    providerOf: () => {
      throw new TypeError('there is no OpenID provider in identity.providers.')
    },
    oauth: () => {
      throw new TypeError('not here')
    },
    secret: () => {
      throw new TypeError('not here')
    },
    ...own,
  }
}

export const callerOf = (
  subject: string,
  { token, headers = [], ...own }: Partial<Principal> & { token?: string; headers?: readonly string[] } = {},
): Caller => ({
  principal: { ...ANONYMOUS, kind: 'person', subject, identity: subject, method: 'external_token', ...own },
  rawHeaders: [...(token === undefined ? [] : ['Authorization', `Bearer ${token}`]), ...headers],
})

/** As it is written in a configuration file. */
export const openWith = (needs: CredentialNeeds, credentials: object): Promise<Credential> => {
  const [server] = servers.parse([{ id: 'notes', url: 'https://notes.example/mcp', credentials }])
  return openCredential(server as RemoteServerConfig, needs)
}

export const authorizationOf = (given: Given | undefined): string | undefined => given?.headers['authorization']
