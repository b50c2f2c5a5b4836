// Every preset of auth.proxy once through the gateway: whom it takes the caller for, what rules make of the groups, what the record says.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { CallEvent } from '../../src/audit/event.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { curl } from '../support/curl.ts'
import { type Edges, type ProxySettings, startEdges } from '../support/edges.ts'
import { type GatewayOptions, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { parseSeries, sumOf } from '../support/scrape.ts'
import { fieldsOf, lastCall, namesBesideOurs } from '../support/told.ts'

let canary: Canary
let edges: Edges
let gateway: TestGateway | undefined
beforeAll(async () => {
  canary = await startCanary()
  edges = await startEdges(() => gateway?.clock.now() ?? Date.now())
})
afterAll(async () => {
  await canary?.close()
  await edges?.close()
})
afterEach(async () => {
  await gateway?.close()
  gateway = undefined
})

/** Everything of this machine's own address comes from the edge; 127.0.0.2 is somebody else. */
const TRUSTED = { trustedProxies: ['127.0.0.1'] }
const RULES = [
  { id: 'all', allow: ['notes/read_note'], to: ['*'] },
  { id: 'staff', allow: ['notes/write_note'], to: ['group:staff'] },
]

async function start(proxy: ProxySettings, options: GatewayOptions = {}): Promise<TestGateway> {
  gateway = await startGateway({
    servers: [{ id: 'notes', url: canary.url }],
    server: TRUSTED,
    auth: { tokens: false, proxy },
    policy: { rules: RULES },
    ...options,
  })
  return gateway
}
type Fields = Readonly<Record<string, string>>
const lines = (fields: Fields) => Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
const whoami = (fields: Fields, from?: string) =>
  curl(gateway?.port ?? 0, '/whoami', { headers: lines(fields), ...(from !== undefined && { from }) })
const call = (fields: Fields, tool = 'read_note') =>
  callTool(gateway?.resource('notes') ?? '', undefined, tool, {}, { ...fields })
const toolsOf = async (fields: Fields) => {
  const { body } = await curl(gateway?.port ?? 0, '/tools', { headers: lines(fields) })
  return (body['tools'] as { name: string }[]).map(({ name }) => name)
}

async function recorded(tool: string): Promise<CallEvent | undefined> {
  const isIt = (event: { kind: string }): event is CallEvent =>
    event.kind === 'call' && (event as CallEvent).name === tool && (event as CallEvent).outcome !== undefined
  return (await gateway?.audit((all) => all.some(isIt)))?.find(isIt)
}

describe.each(['cloudflare', 'aws', 'google', 'pomerium'] as const)('%s', (name) => {
  it('people and groups are those that the edge signed, and the record says how they came', async () => {
    const edge = edges[name]
    const groups = name === 'google' ? { groupsClaim: 'hd' } : {}
    const { metrics } = await start({ ...edge.settings, ...groups })
    const [plain, said] = edge.plain
    const fields = { [edge.field]: edge.assertion(), [plain]: said }
    expect(await whoami(fields)).toMatchObject({
      status: 200,
      body: {
        kind: 'person',
        subject: `${edge.ann.issuer}|${edge.ann.identity}`,
        email: 'ann@corp.example',
        groups: name === 'google' ? ['corp.example'] : edge.ann.groups,
        method: 'edge',
        issuer: edge.ann.issuer,
        identity: edge.ann.identity,
      },
    })
    expect((await call(fields)).status).toBe(200)
    expect(await recorded('read_note')).toMatchObject({
      auth: 'edge',
      subject: `${edge.ann.issuer}|${edge.ann.identity}`,
      email: 'ann@corp.example',
      decision: 'allow',
    })
    const user = { user: 'ann@corp.example' }
    expect(sumOf(parseSeries(await metrics()), 'mcp_authenticated_requests_total', user)).toBe(2)
    // Neither the assertion nor what stands beside it goes on.
    const sent = lastCall(canary)
    expect(namesBesideOurs(sent, /assertion|oidc|cf-access|pomerium|goog/)).toEqual([])
    expect(sent.rawHeaders).not.toContain(fields[edge.field])
    expect(fieldsOf(sent)['x-forwarded-email']).toBe('ann@corp.example')
  })

  it('rules speak of its groups', async () => {
    const edge = edges[name]
    await start(edge.settings)
    const isStaff = edge.ann.groups.includes('staff')
    expect(await toolsOf({ [edge.field]: edge.assertion() })).toEqual(
      isStaff ? ['read_note', 'write_note'] : ['read_note'],
    )
  })

  it('without the assertion, or with the plain field alone, nobody is let in: 401, and counted', async () => {
    const edge = edges[name]
    const { metrics, url } = await start(edge.settings)
    for (const fields of [{}, { [edge.plain[0]]: edge.plain[1] }, { [edge.field]: '' }]) {
      const answer = await whoami(fields)
      expect(answer).toMatchObject({ status: 401, body: { error: 'Unauthorized' } })
      expect(answer.header('www-authenticate')).toContain(`resource_metadata="${url}/.well-known`)
      expect(answer.header('www-authenticate')).not.toContain('error=')
    }
    expect(sumOf(parseSeries(await metrics()), 'mcp_proxy_header_missing')).toBe(3)
    expect((await whoami({ [edge.field]: edge.assertion() })).status).toBe(200)
  })

  it('around the edge it is ignored where proxies are named, and counts by its signature where none is', async () => {
    const edge = edges[name]
    const { log } = await start(edge.settings)
    const fields = { [edge.field]: edge.assertion() }
    expect((await whoami(fields, '127.0.0.2')).status).toBe(401)
    expect(log.filter((line) => /identity header is ignored/.test(line))).toHaveLength(1)
    await gateway?.close()
    await start(edge.settings, { server: {} })
    expect((await whoami(fields, '127.0.0.2')).body).toMatchObject({ identity: edge.ann.identity })
    expect((await whoami({ [edge.field]: 'x' }, '127.0.0.2')).status).toBe(401)
  })
})

describe('proxies that do not sign', () => {
  const claims = {
    iss: 'https://id.example',
    sub: 'ann',
    email: 'ann@corp.example',
    email_verified: true,
    groups: ['staff'],
  }
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
  const principal = Buffer.from(
    JSON.stringify({
      auth_typ: 'aad',
      claims: [
        { typ: 'groups', val: 'staff' },
        { typ: 'roles', val: 'Reader' },
      ],
    }),
  ).toString('base64')
  const MAIL = 'ann@corp.example'

  it.each<[string, ProxySettings, Fields, object]>([
    ['istio', { preset: 'istio' }, { 'X-User-Id': payload }, { issuer: 'https://id.example', identity: 'ann' }],
    [
      'azure-easyauth',
      { preset: 'azure-easyauth' },
      {
        'X-MS-CLIENT-PRINCIPAL-ID': '0b1c',
        'X-MS-CLIENT-PRINCIPAL-NAME': MAIL,
        'X-MS-CLIENT-PRINCIPAL-IDP': 'aad',
        'X-MS-CLIENT-PRINCIPAL': principal,
      },
      { issuer: 'proxy', identity: 'aad:0b1c', roles: ['Reader'] },
    ],
    [
      'oauth2-proxy, as the proxy',
      { preset: 'oauth2-proxy' },
      { 'X-Forwarded-User': '108', 'X-Forwarded-Email': MAIL, 'X-Forwarded-Groups': 'staff,eng' },
      { identity: '108', groups: ['staff', 'eng'] },
    ],
    [
      'oauth2-proxy, asked by nginx',
      { preset: 'oauth2-proxy' },
      { 'X-Auth-Request-User': '108', 'X-Auth-Request-Email': MAIL, 'X-Auth-Request-Groups': 'staff' },
      { identity: '108', groups: ['staff'] },
    ],
    [
      'authelia',
      { preset: 'authelia' },
      { 'Remote-User': 'ann', 'Remote-Email': MAIL, 'Remote-Name': 'Ann Smith', 'Remote-Groups': 'staff,eng' },
      { identity: 'ann', name: 'Ann Smith', groups: ['staff', 'eng'] },
    ],
    [
      'kong',
      { preset: 'kong', groupsHeader: 'X-Consumer-Groups' },
      { 'X-Consumer-Username': MAIL, 'X-Consumer-Groups': 'staff, eng' },
      { identity: MAIL, groups: ['staff', 'eng'] },
    ],
    [
      'tailscale',
      { preset: 'tailscale', groupsHeader: 'X-Groups' },
      { 'Tailscale-User-Login': MAIL, 'Tailscale-User-Name': '=?utf-8?q?Jos=C3=A9?=', 'X-Groups': 'staff' },
      { identity: MAIL, name: 'José', groups: ['staff'] },
    ],
  ])(
    '%s: from the proxy its people and groups count, from elsewhere nothing',
    async (_what, proxy, fields, expected) => {
      await start(proxy)
      expect(await whoami(fields)).toMatchObject({
        status: 200,
        body: { method: 'proxy', issuer: 'proxy', email: MAIL, groups: ['staff'], ...expected },
      })
      expect((await call(fields, 'write_note')).status).toBe(200)
      expect(await recorded('write_note')).toMatchObject({ auth: 'proxy', decision: 'allow', email: MAIL })
      expect((await whoami(fields, '127.0.0.2')).status).toBe(401)
      expect((await whoami({})).status).toBe(401)
    },
  )
})

describe('beside a token', () => {
  it('the token decides, and the record names whom the edge signed', async () => {
    const edge = edges.cloudflare
    const { tokenFor } = await start(edge.settings, { auth: { proxy: edge.settings } })
    const token = await tokenFor('notes')
    const at = gateway?.resource('notes') ?? ''
    const status = async (fields: Fields, bearer: string | undefined) =>
      (await callTool(at, bearer, 'read_note', {}, { ...fields })).status
    const bob = { sub: 'bob', email: 'bob@corp.example' }
    expect(await status({ [edge.field]: edge.assertion({ claims: bob }) }, token)).toBe(200)
    expect(await recorded('read_note')).toMatchObject({ auth: 'access_token', beside: `${edge.ann.issuer}|bob` })
    // A bad token never falls through to a good assertion, and a bad assertion harms no good token.
    expect(await status({ [edge.field]: edge.assertion() }, `${token.slice(0, -4)}AAAA`)).toBe(401)
    expect(await status({ [edge.field]: 'x.y.z' }, token)).toBe(200)
    expect(await status({ [edge.field]: edge.assertion() }, undefined)).toBe(200)
  })

  it('keys of the edge that cannot be had are no reason to refuse a token; without one it is 503, to try again', async () => {
    const edge = edges.google
    const down = { ...edge.settings, keys: 'http://127.0.0.1:9/jwks' }
    const { tokenFor } = await start(down, { auth: { proxy: down } })
    const token = await tokenFor('notes')
    const at = gateway?.resource('notes') ?? ''
    const fields = { [edge.field]: edge.assertion() }
    expect((await callTool(at, token, 'read_note', {}, fields)).status).toBe(200)
    expect(await recorded('read_note')).toMatchObject({ beside: 'refused:issuer_unreachable' })
    const refused = await whoami(fields)
    expect(refused.status).toBe(503)
    expect(Number(refused.header('retry-after'))).toBeGreaterThan(0)
  })
})

describe('behind an ingress that asks at /auth', () => {
  const asked = { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Uri': '/' }
  const ask = (fields: Fields, from?: string) =>
    curl(gateway?.port ?? 0, '/auth', {
      headers: lines({ ...asked, 'X-Forwarded-Host': 'app.example.com', ...fields }),
      ...(from !== undefined && { from }),
    })
  const protect = (proxy: ProxySettings) =>
    start(proxy, {
      forwardAuth: { resources: [{ host: 'app.example.com' }] },
      policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
    })

  it('what the edge signed counts, since the ingress hands it on; what is plain there is the caller’s own', async () => {
    const edge = edges.pomerium
    await protect(edge.settings)
    const answer = await ask({ [edge.field]: edge.assertion() })
    expect(answer.status).toBe(200)
    expect(answer.header('x-forwarded-user')).toBe('ann@corp.example')
    expect(answer.header('x-forwarded-groups')).toBe('admin,staff')
    const id = answer.header('x-request-id')
    const events = await gateway?.audit((all) => all.some((event) => event.id === id))
    expect(events?.find((event) => event.id === id)).toMatchObject({ auth: 'edge', email: 'ann@corp.example' })
    expect((await ask({ [edge.field]: edge.assertion({ claims: { aud: 'else' } }) })).status).toBe(401)
    expect((await ask({ [edge.plain[0]]: edge.plain[1] })).status).toBe(401)
    expect((await ask({ [edge.field]: edge.assertion() }, '127.0.0.2')).status).toBe(403)
    await gateway?.close()
    const { log } = await protect({ preset: 'authelia' })
    expect((await ask({ 'Remote-User': 'ann' })).status).toBe(401)
    expect(log.filter((line) => /identity header is ignored/.test(line))).toEqual([])
  })
})

describe('each server its own', () => {
  it('edge, with the audience of its application', async () => {
    const edge = edges.cloudflare
    gateway = await startGateway({
      servers: [
        { id: 'notes', url: canary.url },
        { id: 'other', url: canary.url, auth: { proxy: { ...edge.settings, audience: 'tag-of-the-other' } } },
        { id: 'plain', url: canary.url, auth: { proxy: { userHeader: 'X-Employee-Id' } } },
      ],
      server: TRUSTED,
      auth: { tokens: false, proxy: edge.settings },
    })
    const at = async (server: string, fields: Fields) =>
      (await callTool(gateway?.resource(server) ?? '', undefined, 'read_note', {}, { ...fields })).status
    const all = (fields: Fields) => Promise.all(['notes', 'other', 'plain'].map((server) => at(server, fields)))
    expect(await all({ [edge.field]: edge.assertion() })).toEqual([200, 401, 401])
    expect(await all({ [edge.field]: edge.assertion({ claims: { aud: ['tag-of-the-other'] } }) })).toEqual([
      401, 200, 401,
    ])
    expect(await all({ 'X-Employee-Id': '1234' })).toEqual([401, 401, 200])
  })
})
