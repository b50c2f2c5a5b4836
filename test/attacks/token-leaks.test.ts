// Row C31 of the attack catalogue: where a token or a code could be read by someone who is not meant: addresses (and so histories,
// Referer headers and the logs of others), pages, caches, our own log and record. RFC 9700 §4.2, RFC 6750 §5.3, RFC 6749 §5.1.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pkce, registerClient } from '../support/client.ts'
import { ANN } from '../support/gateway.ts'
import { callTool, listTools } from '../support/mcp.ts'
import {
  expectNoSecret,
  expectRefused,
  expectServed,
  GOOD,
  type OAuthRange,
  SCOPE,
  send,
  startMirror,
  startOAuthRange,
} from '../support/oauth-range.ts'
import { attackTable } from '../support/range.ts'

/** One exchange as anyone on the way could have kept it. */
interface Traced {
  readonly url: string
  readonly method: string
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Every request of this process by fetch: browsers and clients of these tests have no other. */
function traceFetch(): { readonly traced: Traced[]; stop(): void } {
  const usual = globalThis.fetch
  const traced: Traced[] = []
  globalThis.fetch = async (input, init) => {
    const response = await usual(input, init)
    const url = input instanceof Request ? input.url : String(input)
    const text = await response.clone().text()
    traced.push({ url, method: init?.method ?? 'GET', status: response.status, headers: response.headers, text })
    return response
  }
  return {
    traced,
    stop() {
      globalThis.fetch = usual
    },
  }
}

type SecretName =
  | 'password'
  | 'code'
  | 'verifier'
  | 'accessToken'
  | 'refreshToken'
  | 'secondRefreshToken'
  | 'idToken'
  | 'registrationToken'
  | 'clientSecret'
  | 'session'

let range: OAuthRange
let journey: readonly Traced[]
let secrets: Record<SecretName, string>

/** All that a client and its person do in a life: registration, sign-in, consent, tokens, calls, refresh, a refusal, revocation, sign-out. */
beforeAll(async () => {
  range = await startOAuthRange()
  const { gateway, resource } = range
  const trace = traceFetch()
  const client = await registerClient(gateway, {
    redirectUris: [GOOD],
    metadata: { token_endpoint_auth_method: 'client_secret_post' },
  })
  const client_secret = String(client.registration['client_secret'])
  const person = await gateway.person()
  const asked = client.authorize({ resource, scope: `openid email ${SCOPE}` })
  const code = await client.codeFrom(person, asked)
  const { body } = await client.exchange(code, asked.verifier, { client_secret })
  const accessToken = String(body['access_token'])
  await callTool(resource, accessToken, 'read_note')
  await listTools(resource, accessToken)
  await callTool(resource, `${accessToken}x`, 'read_note')
  const refreshed = await client.refresh(String(body['refresh_token']), { client_secret })
  await person.refuse(client.authorize({ resource, scope: SCOPE }).url)
  await person.open(client.authorize({ resource, scope: SCOPE, redirect_uri: 'https://evil.example/cb' }).url)
  await fetch(`${gateway.url}/oauth/introspect`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: client.id, client_secret, token: accessToken }),
  })
  await person.open(`${gateway.url}/`)
  const signOut = await person.open(`${gateway.url}/logout`)
  const mirror = await startMirror()
  const session = /portcullis_session=([^;]+)/.exec(await mirror.cookies(person, '/'))?.[1] ?? ''
  mirror.close()
  await person.submit(signOut, /sign out/i)
  await client.revoke(String(refreshed.body['refresh_token']), { client_secret })
  trace.stop()
  journey = trace.traced.filter(({ url }) => url.startsWith(gateway.url))
  secrets = {
    password: ANN.password,
    code,
    verifier: asked.verifier,
    accessToken,
    refreshToken: String(body['refresh_token']),
    secondRefreshToken: String(refreshed.body['refresh_token']),
    idToken: String(body['id_token']),
    registrationToken: String(client.registration['registration_access_token']),
    clientSecret: client_secret,
    session,
  }
  for (const secret of Object.values(secrets)) range.secrets.add(secret)
})
afterAll(() => range?.close())

const NAMES: readonly SecretName[] = [
  'password',
  'code',
  'verifier',
  'accessToken',
  'refreshToken',
  'secondRefreshToken',
  'idToken',
  'registrationToken',
  'clientSecret',
  'session',
]

/** As it stands, its characteristic part, and in the spellings of an address or an attribute. */
const spellings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64url'),
  Buffer.from(secret).toString('hex'),
  ...secret.split('.').slice(2),
]

const isRedirect = ({ status }: Traced) => status >= 300 && status < 400
/** What stays on the screen; a redirect's own words are its address once more. */
const isPage = (one: Traced) => !isRedirect(one) && (one.headers.get('content-type')?.startsWith('text/html') ?? false)

function expectAbsent(name: SecretName, text: string): void {
  for (const spelling of spellings(secrets[name])) {
    expect(spelling.length).toBeGreaterThan(8)
    expect({ name, found: text.includes(spelling) }).toEqual({ name, found: false })
  }
}

describe('the journey', () => {
  it('was long enough to be worth reading', () => {
    expect(journey.length).toBeGreaterThan(20)
    expect(journey.filter(isPage).length).toBeGreaterThan(5)
    expect(journey.filter(isRedirect).length).toBeGreaterThan(5)
    for (const name of NAMES) expect({ name, long: secrets[name].length > 8 }).toEqual({ name, long: true })
    const bodies = journey.map(({ text }) => text).join('\n')
    for (const name of ['accessToken', 'refreshToken', 'idToken', 'clientSecret'] as const)
      expect(bodies).toContain(secrets[name])
  })
})

attackTable(
  'C31: in an address of ours:',
  NAMES.map((name) => ({ id: name })),
  async ({ id: name }) => {
    expectAbsent(name, journey.map(({ url }) => url).join('\n'))
  },
)

attackTable(
  'C31: in a redirect:',
  NAMES.map((name) => ({ id: name })),
  async ({ id: name }) => {
    const locations = journey.filter(isRedirect).map(({ headers }) => headers.get('location') ?? '')
    const elsewhere = name === 'code' ? locations.filter((location) => !location.startsWith(`${GOOD}?`)) : locations
    expectAbsent(name, elsewhere.join('\n'))
    // The one that carries the code carries it to the client, once.
    expect(locations.filter((location) => location.includes(secrets.code))).toHaveLength(1)
  },
)

attackTable(
  'C31: on a page, in its headers or its addresses:',
  NAMES.map((name) => ({ id: name })),
  async ({ id: name }) => {
    const pages = journey.filter(isPage)
    expectAbsent(name, pages.map(({ text }) => text).join('\n'))
    const headers = journey.map((one) =>
      [...one.headers].filter(([header]) => header !== 'location' && header !== 'set-cookie').join('\n'),
    )
    expectAbsent(name, headers.join('\n'))
  },
)

attackTable(
  'C31: in log or record:',
  NAMES.map((name) => ({ id: name })),
  async ({ id: name }) => {
    expect(range.gateway.log.length).toBeGreaterThan(0)
    expectAbsent(name, [...range.gateway.log, JSON.stringify(await range.gateway.audit())].join('\n'))
  },
)

describe('C31: nobody keeps it', () => {
  it('every page, redirect and answer with a token forbids storing, and pages leak no address', () => {
    const told = journey.filter(
      (one) => isPage(one) || isRedirect(one) || /\/oauth\/(token|register|introspect)/.test(one.url),
    )
    expect(told.length).toBeGreaterThan(15)
    for (const { url, headers } of told) {
      const path = new URL(url).pathname
      expect({ path, cache: headers.get('cache-control') }).toEqual({ path, cache: 'no-store' })
    }
    for (const one of journey.filter((one) => isPage(one) || isRedirect(one))) {
      const path = new URL(one.url).pathname
      // Same-origin on pages with forms: under no-referrer their Origin would be null. Where a code is in the address: none at all.
      const allowed = isRedirect(one) ? ['no-referrer'] : ['no-referrer', 'same-origin']
      expect({ path, policy: one.headers.get('referrer-policy') }).toEqual({ path, policy: expect.toBeOneOf(allowed) })
    }
  })

  it('forms with secrets are posted, and no page loads or links to anything elsewhere', () => {
    for (const { text } of journey.filter(isPage)) {
      for (const [form] of text.matchAll(/<form\b[^>]*>/g)) expect(form).toMatch(/method="post"/)
      expect(text).not.toMatch(/<(?:script|iframe|object|embed)\b|\bsrc="(?!\/)|<link[^>]*href="(?!\/)/)
      expect(
        [...text.matchAll(/<a [^>]*href="([^"]*)"/g)]
          .map(([, href = '']) => href)
          .filter((href) => !href.startsWith('/')),
      ).toEqual([])
    }
  })
})

// ---- What a careless client puts into addresses and headers itself.

const CARELESS: readonly {
  id: string
  ask: (secret: string) => Promise<{ status: number }>
  status: number
  reason?: string
}[] = [
  {
    id: 'access_token in the query of a call',
    ask: (secret) => listTools(`${range.resource}?access_token=${secret}`, undefined),
    status: 400,
    reason: 'token_in_query',
  },
  {
    id: 'access_token behind other parameters',
    ask: (secret) => listTools(`${range.resource}?a=b&access_token=${secret}`, undefined),
    status: 400,
    reason: 'token_in_query',
  },
  {
    id: 'token under another name',
    ask: (secret) => listTools(`${range.resource}?token=${secret}`, undefined),
    status: 400,
    reason: 'token_in_query',
  },
  {
    id: 'client_secret in the query',
    ask: (secret) => post(`/oauth/token?client_secret=${secret}`, 'grant_type=refresh_token'),
    status: 400,
    reason: 'invalid_request',
  },
  {
    id: 'code in the query',
    ask: (secret) => post(`/oauth/token?code=${secret}`, 'grant_type=authorization_code'),
    status: 400,
    reason: 'invalid_request',
  },
  {
    id: 'refresh_token in the query',
    ask: (secret) => post(`/oauth/token?refresh_token=${secret}`, 'grant_type=refresh_token'),
    status: 400,
    reason: 'invalid_request',
  },
  {
    id: 'token in the query of revocation',
    ask: (secret) => post(`/oauth/revoke?token=${secret}`, 'x=y'),
    status: 400,
    reason: 'invalid_request',
  },
  {
    id: 'token in the query of introspection',
    ask: (secret) => post(`/oauth/introspect?token=${secret}`, 'x=y'),
    status: 400,
    reason: 'invalid_request',
  },
  {
    id: 'a code in the address of nothing',
    ask: (secret) => send(`${range.gateway.url}/nowhere?code=${secret}`),
    status: 404,
  },
  {
    id: 'a token in the path of nothing',
    ask: () => send(`${range.gateway.url}/nowhere/${secrets.accessToken}`),
    status: 404,
  },
  {
    id: 'a token in the Referer',
    ask: (secret) =>
      send(`${range.gateway.url}/nowhere`, { headers: { referer: `https://good.example/cb?code=${secret}` } }),
    status: 404,
  },
  {
    id: 'a token as the User-Agent',
    ask: (secret) => send(`${range.gateway.url}/nowhere`, { headers: { 'user-agent': secret } }),
    status: 404,
  },
  {
    id: 'an unknown refresh token',
    ask: (secret) => post('/oauth/token', `grant_type=refresh_token&client_id=nobody&refresh_token=${secret}`),
    status: 401,
    reason: 'invalid_client',
  },
  {
    id: 'a password in the query of the sign-in',
    ask: (secret) => send(`${range.gateway.url}/login?username=ann&password=${secret}`),
    status: 404,
  },
  {
    id: 'a setup ticket that is none',
    ask: (secret) => send(`${range.gateway.url}/setup?ticket=${secret}`),
    status: 400,
  },
  {
    id: 'a registration token in the query',
    ask: (secret) => send(`${range.gateway.url}/oauth/register/some-client-id?access_token=${secret}`),
    status: 401,
  },
]

const post = (path: string, body: string) =>
  fetch(range.gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
  })

attackTable('C31: a careless client', CARELESS, async ({ ask, status, reason }) => {
  const secret = pkce().verifier
  range.secrets.add(secret)
  const answer = reason === undefined ? await ask(secret) : await expectRefused(range, reason, () => ask(secret))
  expect(answer.status).toBe(status)
  expect(JSON.stringify(answer)).not.toContain(secret)
  await expectNoSecret(range)
})

it('and the careful one is served', async () => {
  await expectServed(range, await range.gateway.tokenFor('canary'))
})
