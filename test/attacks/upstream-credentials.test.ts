// Rows C11, E29 and E30 of the attack catalogue for what servers are given: a credential goes to its server alone, whatever that server,
// its authorization server or a caller says; and it is in nothing that the gate writes.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Canary, type CanaryRefusal, type CanaryRequest, startCanary } from '../support/canary.ts'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { type HashicorpVault, startHashicorpVault } from '../support/hashicorp.ts'
import { signedBy, startIssuer, type TestIssuer } from '../support/issuer.ts'
import { callTool, listTools } from '../support/mcp.ts'
import { bearer, startTokenServer, type TokenServer, unsigned } from '../support/token-server.ts'

/** In each place where a secret is configured or kept. */
const SECRETS = {
  header: 'canary-header-Zk3v9Qp0Lx7',
  query: 'canary-query-RtWm2Hc8yB4n',
  client: 'canary-client-Jf6sUe1Ai5Ko',
  pat: 'canary-pat-Yh2dPq8LsVw3',
  vaultToken: 'canary-vault-Gb7nTz4XcMr9',
  brought: 'canary-brought-Dw5kEj0QiHa6',
} as const
const issued: string[] = []

let canary: Canary
let vault: HashicorpVault
let tokens: TokenServer
let issuer: TestIssuer
let elsewhere: { readonly server: Server; readonly url: string; readonly visits: string[] }
let gateway: TestGateway
/** What the server does in place of answering. */
let bend: (request: CanaryRequest) => CanaryRefusal | undefined

async function startElsewhere() {
  const visits: string[] = []
  const server = createServer((req, res) => {
    visits.push(`${req.method} ${req.url} ${JSON.stringify(req.rawHeaders)}`)
    res.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, visits, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

beforeAll(async () => {
  elsewhere = await startElsewhere()
  ;[canary, vault, tokens, issuer] = await Promise.all([
    startCanary({ refuses: (request) => bend(request) }),
    startHashicorpVault(),
    startTokenServer(),
    startIssuer({ path: '/realms/mcp' }),
  ])
  vault.tokens.add(SECRETS.vaultToken)
  const server = (id: string, credentials: object) => ({
    id,
    url: canary.url,
    credentials: credentials as { type: 'none' },
  })
  const client = { tokenUrl: tokens.tokenUrl, clientId: 'gate', clientSecret: SECRETS.client }
  gateway = await startGateway({
    store: 'file',
    auth: { issuers: [{ issuer: issuer.issuer }] },
    servers: [
      server('plain', { type: 'none' }),
      server('headers', { type: 'headers', headers: { Authorization: `Bearer ${SECRETS.header}` } }),
      server('query', { type: 'query', parameter: 'api_key', value: SECRETS.query }),
      server('own', { type: 'client-credentials', ...client }),
      server('exchange', { type: 'token-exchange', ...client }),
      server('behalf', { type: 'on-behalf-of', ...client }),
      server('vault', {
        type: 'vault',
        url: vault.url,
        login: { token: SECRETS.vaultToken },
        path: 'secret/data/{server}',
        field: 'pat',
      }),
      server('caller', { type: 'caller' }),
    ],
  })
  vault.secrets.set('secret/data/vault', { pat: SECRETS.pat })
  tokens.answer = ({ form }) => {
    const token = unsigned({ aud: form['audience'] ?? 'any', jti: `canary-issued-${issued.length}` })
    issued.push(token)
    return bearer(token)
  }
})
afterAll(async () => {
  await gateway?.close()
  elsewhere?.server.closeAllConnections()
  elsewhere?.server.close()
  await Promise.all([canary?.close(), vault?.close(), tokens?.close(), issuer?.close()])
})
beforeEach(() => {
  bend = () => undefined
  elsewhere.visits.length = 0
})

const KINDS = ['plain', 'headers', 'query', 'own', 'exchange', 'behalf', 'vault', 'caller'] as const
type Kind = (typeof KINDS)[number]

function presented(id: Kind): string {
  const now = Math.floor(gateway.clock.now() / 1000)
  const claims = {
    iss: issuer.issuer,
    sub: 'ext-ann',
    aud: gateway.resource(id),
    client_id: 'c',
    jti: 'j',
    iat: now,
    exp: now + 600,
  }
  return signedBy(issuer.key, { typ: 'at+jwt' }, claims)
}
const FORGED = {
  'X-Upstream-Authorization': `Bearer ${SECRETS.brought}`,
  'Proxy-Authorization': 'Basic Zm9yZ2Vk',
  Cookie: 'session=forged',
  'X-Api-Token': 'forged',
  DPoP: 'forged',
}
const call = (id: Kind, token: string) => callTool(gateway.resource(id), token, 'read_note', {}, FORGED)
const sentTo = () => canary.requests.at(-1)
const headOf = (request: CanaryRequest | undefined) => JSON.stringify([request?.url, request?.rawHeaders])

describe.each(KINDS)('C11 at a server whose credential is %s', (id) => {
  it('what a caller came with does not arrive, and what is configured does', async () => {
    const token = presented(id)
    const before = canary.requests.length
    expect((await call(id, token)).status).toBe(200)
    expect(canary.requests.length).toBe(before + 1)
    const head = headOf(sentTo())
    expect(head).not.toContain(token)
    expect(head).not.toMatch(/forged|Zm9yZ2Vk/i)
    expect(head.includes(SECRETS.brought)).toBe(id === 'caller')
    const own = { headers: SECRETS.header, query: SECRETS.query, vault: SECRETS.pat } as const
    for (const [kind, secret] of Object.entries(own)) expect(head.includes(secret)).toBe(kind === id)
    expect(issued.some((one) => head.includes(one))).toBe(['own', 'exchange', 'behalf'].includes(id))
  })
})

describe('C11: tokens of ours', () => {
  it.each(['exchange', 'behalf'] as const)('are not shown to the authorization server: %s', async (id) => {
    const token = await gateway.tokenFor(id, { user: ANN })
    const [asked, before] = [tokens.asked.length, canary.requests.length]
    expect((await call(id, token)).status).toBe(403)
    expect([tokens.asked.length, canary.requests.length]).toEqual([asked, before])
    expect((await call(id, presented(id))).status).toBe(200)
  })
})

describe.each(KINDS)('E29 at a server whose credential is %s', (id) => {
  it.each([301, 302, 303, 307, 308])('a %d elsewhere is not followed', async (status) => {
    bend = () => ({ status, headers: { Location: `${elsewhere.url}/stolen` } })
    const token = presented(id)
    expect((await call(id, token)).status).toBe(502)
    expect((await listTools(gateway.resource(id), token)).status).toBe(502)
    expect(elsewhere.visits).toEqual([])
    bend = () => undefined
    expect((await call(id, token)).status).toBe(200)
  })
})

describe('E29 at the authorization server and the vault', () => {
  it('a redirect is not followed, with the client’s secret or without', async () => {
    const { answer } = tokens
    tokens.answer = () => ({ status: 307, headers: { Location: `${elsewhere.url}/token` }, body: {} })
    gateway.clock.advance('2h')
    expect((await call('own', presented('own'))).status).not.toBe(200)
    expect(elsewhere.visits).toEqual([])
    tokens.answer = answer
    gateway.clock.advance('5s')
    expect((await call('own', presented('own'))).status).toBe(200)
  })
})

describe('E28 in part: a challenge', () => {
  it('steers no credential of these kinds to where it points', async () => {
    bend = () => ({
      status: 401,
      headers: {
        'WWW-Authenticate': `Bearer resource_metadata="${elsewhere.url}/.well-known/x", authorization_uri="${elsewhere.url}/token"`,
      },
    })
    for (const id of KINDS) expect((await call(id, presented(id))).status).toBe(502)
    expect(elsewhere.visits).toEqual([])
  })
})

describe('E30: what callers write', () => {
  it.each(['${SECRET}', '${env:SECRET}', '{{SECRET}}', '$SECRET', '{subject}', '%7Bsubject%7D'])(
    '%s is a word like any other, everywhere',
    async (text) => {
      process.env['SECRET'] = 'canary-of-the-environment'
      try {
        const token = presented('caller')
        const answer = await callTool(
          gateway.resource('caller'),
          token,
          'read_note',
          { text },
          {
            'X-Upstream-Authorization': text,
          },
        )
        expect(answer.status).toBe(200)
        const seen = sentTo()
        expect(seen?.rawHeaders).toContain(text)
        expect(JSON.parse(seen?.body.toString() ?? '')).toMatchObject({ params: { arguments: { text } } })
        expect(headOf(seen) + seen?.body.toString()).not.toContain('canary-of-the-environment')
      } finally {
        delete process.env['SECRET']
      }
    },
  )
})

describe('secrets', () => {
  it('are in no log at its most talkative, no record, no database, no metric and no answer, however things go wrong', async () => {
    const answers: string[] = []
    const wrongs: (typeof bend)[] = [
      () => ({ status: 401, headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } }),
      () => ({ status: 500 }),
      () => ({ status: 302, headers: { Location: elsewhere.url } }),
      () => undefined,
    ]
    for (const wrong of wrongs) {
      bend = wrong
      gateway.clock.advance('11s')
      for (const id of KINDS) answers.push(JSON.stringify(await call(id, presented(id))))
    }
    await new Promise((resolve) => canary.close().then(resolve, resolve))
    for (const id of KINDS) answers.push(JSON.stringify(await call(id, presented(id))))
    const token = await gateway.tokenFor('query')
    answers.push(JSON.stringify(await listTools(`${gateway.url}/mcp`, token)))
    const { readdirSync, readFileSync } = await import('node:fs')
    const { join } = await import('node:path')
    const { directory } = gateway.config.store
    const bytes = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)).toString('latin1'))
    const told = [
      ...['log', gateway.log.join('\n')],
      ...['record', JSON.stringify(await gateway.audit())],
      ...['metrics', await gateway.metrics()],
      ...['answers', answers.join('\n')],
      ...['database', bytes.join('\n')],
    ]
    const secrets = [...Object.values(SECRETS), ...issued]
    expect(issued.length).toBeGreaterThan(5)
    for (const secret of secrets)
      for (const coded of [
        secret,
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
        Buffer.from(secret).toString('hex'),
        encodeURIComponent(secret),
      ])
        for (let at = 0; at < told.length; at += 2)
          expect(told[at + 1]?.includes(coded), `${secret.slice(0, 20)} in ${told[at]}`).toBe(false)
  })
})
