// The OAuth door alone, on a bare node:http server with a store in memory. Our pages are replaced by an address that says what the
// person decides: GET /interaction/{uid}?do=allow|deny|login&as=ACCOUNT.
import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ActEvent } from '../../src/audit/event.ts'
import { unavailable } from '../../src/audit/recording.ts'
import { Config, type ConfigInput } from '../../src/config/schema.ts'
import { createFront } from '../../src/http/front.ts'
import { type OutboundFetch, outboundFetch } from '../../src/http/outbound.ts'
import { trustedProxies } from '../../src/http/trusted-proxy.ts'
import { openAuthorizationServer } from '../../src/oauth/authorization-server.ts'
import type { Resource } from '../../src/protocol/resource.ts'
import { createResources } from '../../src/protocol/resource.ts'
import type { UserRecord } from '../../src/store/durable.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { openKeyring } from '../../src/tokens/keyring.ts'
import { openRevocationList } from '../../src/tokens/revocations.ts'
import { accessTokenVerifier } from '../../src/tokens/verify.ts'
import { systemNames } from '../../src/upstreams/network/names.ts'
import { type Answer, type Browser, createBrowser } from './door-browser.ts'

export type Parameters = Readonly<Record<string, string | undefined>>

export interface DoorOptions {
  readonly oauth?: ConfigInput['oauth']
  readonly https?: boolean
  readonly resources?: readonly string[]
  readonly fetchPublic?: OutboundFetch
  /** Wraps the store, to watch it or to break it. */
  readonly wrap?: (store: Store) => Store
}

interface Given {
  readonly clientId?: string
  readonly parameters?: Parameters
  readonly browser?: Browser
}

/** A record that takes an act, and has it on the disk only later. */
interface Stalled {
  reached(): void
  readonly until: Promise<void>
}

export type Door = Awaited<ReturnType<typeof startDoor>>

export const ACCOUNT = 'account-ann'
export const OTHER = 'account-bob'
export const REDIRECT = 'https://client.example/cb'

const user = (id: string): UserRecord => ({
  id,
  issuer: 'local',
  identity: id,
  email: `${id}@example.com`,
  emailVerified: true,
  name: id,
  groups: [],
  roles: [],
  teams: [],
  administrator: false,
  disabled: false,
  passwordHash: undefined,
  createdAt: 0,
  updatedAt: 0,
})

export function pkce() {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

export async function startDoor(options: DoorOptions = {}) {
  let ahead = 0
  const clock = () => Date.now() + ahead
  const inner = await openStore({ url: 'sqlite::memory:', directory: '.' })
  const store = options.wrap ? options.wrap(inner) : inner
  await inner.durable.users.upsertByIdentity(user(ACCOUNT))
  await inner.durable.users.upsertByIdentity(user(OTHER))

  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const serverUrl = options.https ? 'https://gate.example' : origin
  const parsed = Config.parse({ server: { url: new URL(serverUrl).origin }, oauth: options.oauth })
  const config = { ...parsed, server: { ...parsed.server, url: serverUrl, allowedOrigins: 'loopback' as const } }
  const resources: Resource[] = (options.resources ?? ['files']).map((id) => ({
    url: `${serverUrl}/servers/${id}/mcp`,
    title: id,
    server: id,
    scopes: ['mcp:tools'],
  }))

  const log: { level: string; fields: object; message: string }[] = []
  const logger = (level: string) => (fields: object, message: string) => void log.push({ level, fields, message })
  const acts: ActEvent[] = []
  const recorder: { failing: boolean; stalled: Stalled | undefined } = { failing: false, stalled: undefined }
  const keyring = await openKeyring({
    keys: inner.durable.keys,
    clock,
    rotation: config.oauth.signingKeyRotation,
    longestToken: config.oauth.accessTokenTtl,
    onError: logger('error') as never,
  })
  const revocations = await openRevocationList({
    revocations: inner.durable.revocations,
    clock,
    staleAfter: 60_000,
    onError: logger('error') as never,
  })
  const verifier = accessTokenVerifier({ keyring, revocations, issuer: serverUrl, clock })
  const oauth = openAuthorizationServer({
    config,
    durable: store.durable,
    ephemeral: store.ephemeral,
    keyring,
    verifyOwnToken: verifier.find,
    onRevocation: revocations.poll,
    isAdmitted: (person) => !person.groups.includes('left'),
    resources: createResources(resources),
    recorder: {
      async act(event) {
        if (recorder.failing) throw unavailable()
        recorder.stalled?.reached()
        await recorder.stalled?.until
        acts.push(event)
      },
    },
    clock,
    startedAt: clock(),
    log: { debug: logger('debug'), info: logger('info'), warn: logger('warn'), error: logger('error') },
    fetchPublic: options.fetchPublic ?? outboundFetch({ allowLoopback: true, resolve: systemNames() }),
  })

  server.on(
    'request',
    createFront({
      matchUpgrade: () => undefined,
      clock,
      proxies: trustedProxies([], '127.0.0.1:0'),
      checkHost: () => undefined,
      onRefusal: (_exchange, answer, error) =>
        void log.push({ level: 'refusal', fields: { error }, message: answer.reason }),
      match(path) {
        const uid = path.startsWith('/interaction/') ? path.slice(13) : undefined
        if (path === '/whoami')
          return async (exchange) => void exchange.res.end(await oauth.interactions.findAccount(exchange))
        if (path === '/sign-out')
          return async (exchange) => {
            await oauth.interactions.endSession(exchange)
            exchange.res.end()
          }
        if (uid === undefined) return oauth.match(path)
        return async (exchange) => {
          const query = new URLSearchParams(exchange.query)
          const { interactions } = oauth
          const interaction = await interactions.find(exchange, uid)
          const decision = query.get('do')
          if (decision === 'allow') return interactions.allow(exchange, interaction)
          if (decision === 'deny') return interactions.deny(exchange, interaction)
          if (decision === 'login')
            return interactions.signIn(exchange, interaction, { account: query.get('as') ?? ACCOUNT, amr: ['pwd'] })
          exchange.res.end(JSON.stringify(interaction))
        }
      },
    }).handle,
  )

  /** Addresses in our answers carry the public origin; the wire is always the loopback one. */
  const wire = (url: string): string => new URL(url, serverUrl).href.replace(new URL(serverUrl).origin, origin)

  async function send(url: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(wire(url), { redirect: 'manual', ...init })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') ?? false
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson && text !== '' ? JSON.parse(text) : {},
    }
  }

  const form = (parameters: Parameters) =>
    new URLSearchParams(Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined))

  const door = {
    url: serverUrl,
    origin,
    store,
    interactions: oauth.interactions,
    acts,
    log,
    recorder,
    clock,
    keyring,
    verifier,
    resources,
    resource: resources[0]?.url ?? '',
    advance(milliseconds: number): void {
      ahead += milliseconds
    },
    send,
    post: (path: string, parameters: Parameters, headers: Record<string, string> = {}) =>
      send(path, { method: 'POST', body: form(parameters), headers }),
    register: async (metadata: Record<string, unknown> = {}) => {
      const body = { redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none', client_name: 'Test', ...metadata }
      return send('/oauth/register', {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      })
    },
    authorizeUrl(clientId: string, challenge: string, parameters: Parameters = {}): string {
      const all = {
        response_type: 'code',
        client_id: clientId,
        redirect_uri: REDIRECT,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        state: 'state-1',
        resource: resources[0]?.url,
        ...parameters,
      }
      return `${serverUrl}/oauth/authorize?${form(all)}`
    },
    browser: () => createBrowser({ url: serverUrl, account: ACCOUNT, send }),
    /** A code for a fresh public client, or the given one, and the token request that redeems it. */
    async code(given: Given = {}) {
      const clientId = given.clientId ?? String((await door.register()).body['client_id'])
      const { verifier: code_verifier, challenge } = pkce()
      const browser = given.browser ?? door.browser()
      const location = await browser.follow(door.authorizeUrl(clientId, challenge, given.parameters))
      const request: Parameters = {
        grant_type: 'authorization_code',
        client_id: clientId,
        code: location.searchParams.get('code') ?? undefined,
        code_verifier,
        redirect_uri: given.parameters?.['redirect_uri'] ?? REDIRECT,
      }
      return { clientId, browser, location, request }
    },
    /** The whole way to tokens for a fresh public client, or the given one. */
    async signIn(given: Given = {}) {
      const { clientId, browser, location, request } = await door.code(given)
      const answer = await door.post('/oauth/token', request)
      return {
        clientId,
        browser,
        location,
        request,
        answer,
        accessToken: String(answer.body['access_token']),
        refreshToken: String(answer.body['refresh_token']),
      }
    },
    refresh: (clientId: string, refresh_token: string, parameters: Parameters = {}) =>
      door.post('/oauth/token', { grant_type: 'refresh_token', client_id: clientId, refresh_token, ...parameters }),
    isAlive: async (accessToken: string) => (await verifier.find(accessToken)) !== undefined,
    async close() {
      oauth.close()
      keyring.close()
      revocations.close()
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
      await inner.close()
    },
  }
  return door
}
