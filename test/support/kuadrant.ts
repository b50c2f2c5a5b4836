// Kuadrant's example: the servers of its guide behind one gate, and tokens of its realm as Keycloak writes them, where each server is a
// client whose roles are its tools and prompts.
import type { ConfigInput } from '../../src/config/schema.ts'
import { type Canary, startCanary } from './canary.ts'
import { type GatewayOptions, startGateway, type TestGateway } from './gateway.ts'
import { type Bent, signedBy, startIssuer, type TestIssuer } from './issuer.ts'

const SERVERS = {
  server1: { prefix: 'test1_', tools: ['greet', 'time', 'headers'], prompts: ['greet'] },
  server2: { prefix: 'test2_', tools: ['hello_world', 'headers'], prompts: ['summary'] },
  server3: { prefix: 'test3_', tools: ['add', 'sum'], prompts: undefined },
  apikey: { prefix: 'apikey_', tools: ['hello_world'], prompts: undefined },
} as const
type Id = keyof typeof SERVERS

export const nameOf = (id: Id): string => `mcp-test/${id}-route`

/** What the guide gives to the group accounting. */
export const ACCOUNTING = {
  [nameOf('server1')]: { roles: ['tool:greet', 'prompt:greet'] },
  [nameOf('server2')]: { roles: ['tool:headers'] },
  [nameOf('server3')]: { roles: ['tool:add'] },
}

export interface Kuadrant {
  readonly gateway: TestGateway
  readonly issuer: TestIssuer
  readonly servers: Readonly<Record<Id, Canary>>
  /** Of the person mcp, for all addresses; without `resource_access` where there is none. */
  token(access: unknown, bent?: Bent): string
  /** Tool calls that reached a server. */
  reached(): readonly string[]
  close(): Promise<void>
}

export async function startKuadrant({
  auth = {},
  views = [],
  ...options
}: Omit<GatewayOptions, 'auth' | 'servers'> & {
  auth?: ConfigInput['auth']
  /** Virtual servers over those of the guide. */
  views?: ConfigInput['servers']
} = {}): Promise<Kuadrant> {
  const issuer = await startIssuer({ path: '/realms/mcp' })
  const started = await Promise.all(
    Object.entries(SERVERS).map(async ([id, { tools, prompts = [] }]) => [id, await startCanary({ tools, prompts })]),
  )
  const servers = Object.fromEntries(started) as Record<Id, Canary>
  const gateway = await startGateway({
    ...options,
    servers: [
      ...Object.entries(SERVERS).map(([id, { prefix }]) => ({
        id,
        name: nameOf(id as Id),
        prefix,
        url: servers[id as Id].url,
      })),
      ...views,
    ],
    auth: { issuers: [{ issuer: issuer.issuer, type: 'keycloak', audience: 'mcp-gateway' }], ...auth },
  })
  const seconds = () => Math.floor(gateway.clock.now() / 1000)
  return {
    gateway,
    issuer,
    servers,
    token: (access, bent = {}) =>
      signedBy(
        issuer.key,
        { typ: 'JWT' },
        {
          iss: issuer.issuer,
          aud: ['mcp-gateway', 'account'],
          sub: 'b7c8a2f6-6f0e-4f0b-9d5e-3f2b1a0c9d8e',
          typ: 'Bearer',
          azp: 'mcp-inspector',
          iat: seconds() - 5,
          exp: seconds() + 1800,
          scope: 'openid profile email groups',
          email: 'mcp@corp.example',
          email_verified: true,
          preferred_username: 'mcp',
          groups: ['mcp-users', 'accounting', 'engineering'],
          realm_access: { roles: ['offline_access'] },
          ...(access !== undefined && { resource_access: access }),
        },
        bent,
      ),
    reached: () =>
      Object.entries(servers).flatMap(([id, { requests }]) =>
        requests.flatMap(({ body }) => {
          const { method, params } = body.length === 0 ? {} : (JSON.parse(body.toString()) as Message)
          return method === 'tools/call' || method === 'prompts/get' ? [`${id} ${method} ${String(params?.name)}`] : []
        }),
      ),
    async close() {
      await gateway.close()
      await issuer.close()
      await Promise.all(Object.values(servers).map((server) => server.close()))
    },
  }
}

interface Message {
  readonly method?: string
  readonly params?: { readonly name?: unknown }
}
