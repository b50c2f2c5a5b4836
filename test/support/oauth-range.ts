// Where the authorization server is attacked: the real gateway before a canary, and what every refusal there must leave behind.
// Browsers are given exactly the cookies and headers that the attack is about.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Canary, startCanary } from './canary.ts'
import { type Answer, type Parameters, parseTokens, type TestClient, type Tokens } from './client.ts'
import { type Form, parseForms } from './forms.ts'
import { ANN, BOB, type GatewayOptions, startGateway, type TestGateway } from './gateway.ts'
import { type Idp, startIdp } from './idp.ts'
import { callTool } from './mcp.ts'
import type { Person, Visit } from './person.ts'

export const GOOD = 'https://good.example/cb'
export const EVIL = 'https://evil.example/cb'
export const SCOPE = 'mcp:tools offline_access'

export interface OAuthRange {
  readonly gateway: TestGateway
  readonly canary: Canary
  /** Of the canary, which stands behind the server `other` too. */
  readonly resource: string
  /** What no line of the log and no record may hold; tests add to it. */
  readonly secrets: Set<string>
  close(): Promise<void>
}

export async function startOAuthRange({ oauth, ...options }: GatewayOptions = {}): Promise<OAuthRange> {
  const canary = await startCanary()
  const gateway = await startGateway({
    servers: [
      { id: 'canary', url: canary.url },
      { id: 'other', url: canary.url },
    ],
    // A second scope of the same resource, for those who ask for more.
    scopes: {
      'mcp:tools': { title: 'Call tools', covers: ['*/*'] },
      'notes:delete': { title: 'Delete notes', covers: ['*/delete_*'] },
    },
    ...options,
    // All of it comes from one address; the quota itself is another row's matter.
    oauth: { ...oauth, registration: { perAddress: 100_000, total: 100_000, ...oauth?.registration } },
  })
  return {
    gateway,
    canary,
    resource: gateway.resource('canary'),
    secrets: new Set([ANN.password, BOB.password]),
    async close() {
      await gateway.close()
      await canary.close()
    },
  }
}

const CARA = { sub: 'cara', username: 'cara', email: 'cara@corp.example', email_verified: true }
const MALLORY = { sub: 'mallory', username: 'mallory', email: 'mallory@corp.example', email_verified: true }

export interface FederatedRange extends OAuthRange {
  readonly idp: Idp
}

/** As `startOAuthRange`, with local accounts, the company's identity provider `corp` and what further ones are given side by side. */
export async function startFederatedRange(options: GatewayOptions = {}): Promise<FederatedRange> {
  const clientSecret = 'the gate at the company, 7'
  const origin = options.server?.url ?? 'http://127.0.0.1'
  const idp = await startIdp({
    users: [CARA, MALLORY],
    clients: [{ client_id: 'gate', client_secret: clientSecret, redirect_uris: [`${origin}/callback/corp`] }],
  })
  const { issuer } = idp
  const corp = { id: 'corp', type: 'oidc', title: 'Corp', issuer, clientId: 'gate', clientSecret } as const
  const further = options.identity?.providers ?? []
  const range = await startOAuthRange({ ...options, identity: { providers: [{ type: 'local' }, corp, ...further] } })
  range.secrets.add(clientSecret)
  const close = async () => {
    await range.close()
    await idp.stop()
  }
  return { ...range, idp, close }
}

/** What came back, nothing followed. */
export interface Seen {
  readonly status: number
  readonly location: string | undefined
  readonly html: string
  readonly headers: Headers
}

interface Sending {
  readonly method?: string
  readonly form?: Readonly<Record<string, string>> | URLSearchParams
  readonly headers?: Readonly<Record<string, string>>
}

/** One request with these headers and no others that matter. */
export async function send(url: string, { method, form, headers = {} }: Sending = {}): Promise<Seen> {
  const response = await fetch(url, {
    method: method ?? (form === undefined ? 'GET' : 'POST'),
    body: form === undefined ? null : new URLSearchParams(form),
    redirect: 'manual',
    headers,
  })
  return seenOf(response)
}

export async function seenOf(response: Response): Promise<Seen> {
  const location = response.headers.get('location') ?? undefined
  return { status: response.status, location, html: await response.text(), headers: response.headers }
}

/** Fires, and holds the refusal to its habits: no 5xx, recorded with its reason, nothing upstream, no secret told, no stack shown. */
export async function expectRefused<A extends { readonly status: number }>(
  range: OAuthRange,
  reason: string,
  attack: () => Promise<A>,
): Promise<A> {
  const { gateway, canary } = range
  const known = new Set((await gateway.audit()).map(({ id }) => id))
  const before = canary.requests.length
  const answer = await attack()
  expect(answer.status).toBeLessThan(500)
  expect(JSON.stringify(answer)).not.toMatch(/\\n\s+at |\.ts:\d|node:internal|node_modules/)
  expect(await newDenials(gateway, known, reason)).toContain(reason)
  expect(canary.requests.length).toBe(before)
  await expectNoSecret(range)
  return answer
}

/** It only ends what would never come. */
const PATIENCE = 20_000

async function newDenials(gateway: TestGateway, known: ReadonlySet<string>, reason: string): Promise<string[]> {
  const end = Date.now() + PATIENCE
  for (;;) {
    const fresh = (await gateway.audit()).filter(({ id }) => !known.has(id))
    // A replay that is refused ends its family, which is an act that succeeded.
    const told = fresh.filter(
      (event) => event.decision === 'deny' || ('act' in event && event.act === 'family_revoked'),
    )
    const reasons = told.map((event) => event.reason)
    if (reasons.includes(reason) || Date.now() > end) return reasons
    await pause(20)
  }
}

export async function expectNoSecret({ gateway, secrets }: OAuthRange): Promise<void> {
  const told = [...gateway.log, JSON.stringify(await gateway.audit())].join('\n')
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(8)
    // Not `not.toContain`, which would print the whole of it.
    expect({ secret, told: told.includes(secret) }).toEqual({ secret, told: false })
  }
}

/** The positive twin of everything: the token opens the canary, and one request arrived there. */
export async function expectServed({ canary, resource }: OAuthRange, token: string): Promise<void> {
  const before = canary.requests.length
  const answer = await callTool(resource, token, 'read_note')
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 200 })
  expect(canary.requests.length).toBe(before + 1)
}

export interface Grant {
  readonly code: string
  readonly verifier: string
}

/** A code that was never redeemed, and what redeems it; both are secrets from here on. */
export async function codeFor(
  range: OAuthRange,
  client: TestClient,
  parameters: Parameters = {},
  person?: Person,
): Promise<Grant> {
  const authorization = client.authorize({ resource: range.resource, scope: SCOPE, ...parameters })
  const code = await client.codeFrom(person ?? (await range.gateway.person()), authorization)
  range.secrets.add(code).add(authorization.verifier)
  return { code, verifier: authorization.verifier }
}

/** Tokens out of an answer of the token endpoint; secrets from here on. */
export function tokensOf(range: OAuthRange, answer: Answer): Tokens {
  const tokens = parseTokens(answer)
  for (const secret of [tokens.accessToken, tokens.refreshToken]) if (secret !== undefined) range.secrets.add(secret)
  return tokens
}

/** A form posted as these pairs, names as often as they come. */
export async function postPairs(
  url: string,
  pairs: readonly (readonly [string, string])[],
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const body = new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value]))
  const response = await fetch(url, { method: 'POST', body, redirect: 'manual', headers })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') ?? false
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : { text } }
}

/** Parameters that an authorization answer carries in its query or its fragment. */
export function answerOf(location: string | undefined): URLSearchParams {
  const url = new URL(location ?? 'none:')
  return new URLSearchParams(url.hash.length > 1 ? url.hash.slice(1) : url.search)
}

/** Where an answer goes, without what it says. */
export const targetOf = (location: string | undefined): string => (location ?? '').split(/[?#]/)[0] ?? ''

/** A refusal that stays here: a page, and no way on from it. */
export function expectLocalPage(seen: Seen, status = 400): void {
  expect({ status: seen.status, location: seen.location }).toEqual({ status, location: undefined })
  expect(seen.headers.get('content-type')).toBe('text/html; charset=utf-8')
  // One may be taken away; none is given.
  expect(seen.headers.getSetCookie().filter((cookie) => /(interaction|resume)(\.sig)?=[^;]/.test(cookie))).toEqual([])
  expect(seen.html).not.toMatch(/<form|<script|http-equiv|evil\.example/i)
}

type Act = 'allow' | 'deny' | 'login' | `idp/${string}`

/** The form of a page that leads to this act. */
export function formOf({ html }: Pick<Seen, 'html'>, act: Act): Form {
  const form = parseForms(html).find(({ action }) => action.endsWith(`/${act}`))
  if (!form) throw new Error(`No form to ${act}:\n${html}`)
  return form
}

/** Presses the button of a page, and follows nothing. */
export async function press(
  person: Person,
  visit: Pick<Visit, 'url' | 'html'>,
  act: Act,
  fields: Readonly<Record<string, string>> = {},
): Promise<Seen> {
  const { action, fields: preset } = formOf(visit, act)
  const { origin } = new URL(visit.url)
  const body = new URLSearchParams({ ...preset, ...fields })
  const headers = { origin, 'sec-fetch-site': 'same-origin' }
  return seenOf(await person.request(new URL(action, visit.url).href, { method: 'POST', body, headers }))
}

/** A person without a session says yes and leaves for the identity provider; answers its authorization address, unopened. */
export async function departFor(person: Person, authorizeUrl: string, provider = 'corp'): Promise<URL> {
  const consent = await person.open(authorizeUrl)
  const { location = '' } = await press(person, consent, 'allow')
  const login = await person.open(new URL(location, consent.url).href, { from: consent.url })
  const left = await press(person, login, `idp/${provider}`)
  return new URL(left.location ?? `none:${left.status}`)
}

export interface Mirror {
  /** The Cookie header that this person's browser sends to the path of a gateway on 127.0.0.1. */
  cookies(person: Person, path: string, headers?: Record<string, string>): Promise<string>
  close(): void
}

/** A server on the gateway's host but another port: cookies know no ports (RFC 6265 §8.5), so it is sent what the gateway is. */
export async function startMirror(): Promise<Mirror> {
  const server = createServer((req, res) => res.end(req.headers.cookie ?? ''))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    cookies: async (person, path, headers = {}) =>
      (await person.request(`http://127.0.0.1:${port}${path}`, { headers })).text(),
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
