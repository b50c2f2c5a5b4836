// Acceptance cases 1 to 6: identity from an authenticating proxy, beside tokens and instead of them, as ContextForge documents it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { CallEvent } from '../../src/audit/event.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { runCommand, startCommand } from '../support/cli.ts'
import { type CurlOptions, curl } from '../support/curl.ts'
import { type GatewayOptions, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { parseSeries, sumOf } from '../support/scrape.ts'
import { freePort } from '../support/upstream.ts'

/** Everything of this machine's own address comes from the proxy; 127.0.0.2 is somebody else. */
const TRUSTED = { trustedProxies: ['127.0.0.1'] }
const ELSEWHERE = '127.0.0.2'

let canary: Canary
beforeAll(async () => {
  canary = await startCanary()
})
afterAll(() => canary?.close())

let gateway: TestGateway | undefined
afterEach(async () => {
  await gateway?.close()
  gateway = undefined
})

async function start(auth: GatewayOptions['auth'], more: GatewayOptions = {}): Promise<TestGateway> {
  gateway = await startGateway({ servers: [{ id: 'notes', url: canary.url }], server: TRUSTED, auth, ...more })
  return gateway
}
const get = (target: string, options?: CurlOptions) => curl(gateway?.port ?? 0, target, options)
const whoami = (...headers: string[]) => get('/whoami', { headers })
const call = (headers: Record<string, string>, token?: string) =>
  callTool(gateway?.resource('notes') ?? '', token, 'read_note', {}, headers)
const callsOf = async (count: number): Promise<CallEvent[]> => {
  const isCall = (event: { kind: string }): event is CallEvent => event.kind === 'call'
  const events = await gateway?.audit((all) => all.filter(isCall).length >= count)
  return (events ?? []).filter(isCall)
}
const USER = 'X-Authenticated-User'

describe('1 the header says who is calling', () => {
  it('at a call, in the record, in the numbers, and to whoever asks', async () => {
    const { metrics } = await start({ tokens: false, proxy: {} })
    expect(await whoami(`${USER}: John.Doe@example.com`)).toMatchObject({
      status: 200,
      body: {
        kind: 'person',
        subject: 'proxy|john.doe@example.com',
        email: 'john.doe@example.com',
        method: 'proxy',
        issuer: 'proxy',
        identity: 'john.doe@example.com',
      },
    })
    expect((await call({ [USER]: 'john.doe@example.com' })).status).toBe(200)
    const events = await callsOf(2)
    expect(events.find(({ method }) => method === 'tools/call')).toMatchObject({
      subject: 'proxy|john.doe@example.com',
      email: 'john.doe@example.com',
      decision: 'allow',
    })
    const user = { user: 'john.doe@example.com' }
    expect(sumOf(parseSeries(await metrics()), 'mcp_authenticated_requests_total', user)).toBe(2)
  })

  it('under a name of the operator’s choice, in letters of either case', async () => {
    await start({ tokens: false, proxy: { userHeader: 'X-Auth-Request-Email' } })
    for (const name of ['X-Auth-Request-Email', 'x-auth-request-email', 'X-AUTH-REQUEST-EMAIL'])
      expect((await whoami(`${name}: ann@corp.example`)).body).toMatchObject({ email: 'ann@corp.example' })
    expect((await whoami(`${USER}: ann@corp.example`)).status).toBe(401)
  })

  it('with groups that rules speak of, and an address that allowedEmails admits', async () => {
    await start(
      { tokens: false, proxy: { preset: 'authelia' } },
      {
        identity: { allowedEmails: ['*@corp.example'] },
        policy: { rules: [{ allow: ['notes/*'], to: ['group:support'] }] },
      },
    )
    const ann = ['Remote-User: ann', 'Remote-Email: Ann@Corp.example', 'Remote-Name: Ann', 'Remote-Groups: support,eng']
    expect((await whoami(...ann)).body).toMatchObject({ identity: 'ann', name: 'Ann', groups: ['support', 'eng'] })
    const known = { 'Remote-User': 'ann', 'Remote-Email': 'ann@corp.example' }
    expect((await call({ ...known, 'Remote-Groups': 'support' })).status).toBe(200)
    expect((await call({ ...known, 'Remote-Groups': 'finance' })).status).toBe(404)
    expect((await call({ 'Remote-User': 'ann', 'Remote-Groups': 'support' })).status).toBe(403)
    expect((await call({ ...known, 'Remote-Email': 'ann@evil.example', 'Remote-Groups': 'support' })).status).toBe(403)
  })
})

describe('2 without the header', () => {
  const nothing: readonly (readonly string[])[] = [[], [`${USER}:`], [`${USER}:    `]]

  it('nobody is let in: 401 with the way to sign in, no error code, and a number that an alert can watch', async () => {
    const { url, metrics } = await start({ tokens: false, proxy: {} })
    for (const headers of nothing) {
      const answer = await get('/tools', { headers })
      expect(answer).toMatchObject({ status: 401, body: { error: 'Unauthorized' } })
      const challenge = answer.header('www-authenticate')
      expect(challenge).toContain(`resource_metadata="${url}/.well-known/oauth-protected-resource/servers/notes/mcp"`)
      expect(challenge).not.toContain('error=')
    }
    expect(sumOf(parseSeries(await metrics()), 'mcp_proxy_header_missing')).toBe(nothing.length)
    expect((await whoami(`${USER}: john`)).status).toBe(200)
    expect(sumOf(parseSeries(await metrics()), 'mcp_proxy_header_missing')).toBe(nothing.length)
  })

  it('callers are anonymous only where that is configured and a rule names them', async () => {
    await start({ tokens: false, anonymous: true, proxy: {} }, { policy: { rules: [{ allow: ['*/*'], to: ['*'] }] } })
    expect((await whoami()).body).toMatchObject({ kind: 'anonymous' })
    expect((await get('/servers')).body).toEqual({ servers: [] })
    expect((await call({})).status).toBe(404)
    await gateway?.close()
    await start(
      { tokens: false, anonymous: true, proxy: {} },
      { policy: { rules: [{ allow: ['*/*'], to: ['anonymous'] }] } },
    )
    expect((await call({})).status).toBe(200)
  })

  it('and the header sent twice is no header: 400, whoever it names', async () => {
    await start({ tokens: false, anonymous: true, proxy: {} })
    for (const other of ['john', 'root', ''])
      expect((await whoami(`${USER}: john`, `${USER}: ${other}`)).status).toBe(400)
    expect((await whoami(`${USER}: john, root`)).status).toBe(400)
    const [event] = await callsOf(4)
    expect(event).toMatchObject({ decision: 'deny', reason: 'identity_header_repeated', subject: 'unknown' })
  })
})

describe('3 from an address that is not trusted', () => {
  it('the header is ignored, and the log says whose it was and what would admit it', async () => {
    const { log, metrics } = await start({ tokens: false, proxy: {} })
    const headers = [`${USER}: root`]
    for (let sent = 0; sent < 5; sent++) expect((await get('/whoami', { headers, from: ELSEWHERE })).status).toBe(401)
    const told = log.filter((line) => /identity header is ignored/.test(line))
    expect(told).toHaveLength(1)
    expect(JSON.parse(told[0] ?? '')).toMatchObject({
      level: 'warn',
      peer: ELSEWHERE,
      setting: 'server.trustedProxies',
    })
    expect(sumOf(parseSeries(await metrics()), 'mcp_auth_failures_total', { reason: 'proxy_header_untrusted' })).toBe(5)
    expect(sumOf(parseSeries(await metrics()), 'mcp_proxy_header_missing')).toBe(0)
    expect((await get('/whoami', { headers })).body).toMatchObject({ identity: 'root' })
  })

  it('it is told again a minute later, and of each address', async () => {
    const { log, clock } = await start({ tokens: false, proxy: {} })
    const headers = [`${USER}: root`]
    const peers = () => log.flatMap((line) => (/is ignored/.test(line) ? [JSON.parse(line).peer] : []))
    await get('/whoami', { headers, from: ELSEWHERE })
    await get('/whoami', { headers, from: '127.0.0.3' })
    clock.advance('61s')
    await get('/whoami', { headers, from: ELSEWHERE })
    expect(peers()).toEqual([ELSEWHERE, '127.0.0.3', ELSEWHERE])
  })

  it('leaves anonymous callers what they are', async () => {
    await start({ tokens: false, anonymous: true, proxy: {} })
    expect((await get('/whoami', { headers: [`${USER}: root`], from: ELSEWHERE })).body).toMatchObject({
      kind: 'anonymous',
      subject: 'anonymous',
    })
  })

  it('where no proxy is named this machine alone is believed', async () => {
    await start({ tokens: false, proxy: {} }, { server: {} })
    expect((await whoami(`${USER}: john`)).status).toBe(200)
    await gateway?.close()
    // Every loopback address is this machine; the one below is a proxy's by name, and nobody else's then.
    await start({ tokens: false, proxy: {} }, { server: { trustedProxies: ['192.0.2.7'] } })
    expect((await whoami(`${USER}: john`)).status).toBe(401)
  })
})

describe('4 with tokens alone', () => {
  it('a header is only a header', async () => {
    await start({})
    expect((await whoami(`${USER}: john`)).status).toBe(401)
    expect((await call({ [USER]: 'john' })).status).toBe(401)
    const token = await gateway?.tokenFor('notes')
    expect((await call({ [USER]: 'john' }, token)).status).toBe(200)
    const events = await callsOf(1)
    expect(events.find(({ method }) => method === 'tools/call')).not.toHaveProperty('beside')
  })
})

describe('5 dual mode', () => {
  it('takes either, lets the token decide, and never falls back from a bad one', async () => {
    const { tokenFor } = await start({ proxy: {} })
    const token = await tokenFor('notes')
    const header = { [USER]: 'bob@corp.example' }
    const statuses = [
      (await call({}, token)).status,
      (await call(header)).status,
      (await call(header, token)).status,
      (await call(header, `${token.slice(0, -4)}AAAA`)).status,
      (await call(header, 'x')).status,
      (await call({ ...header, authorization: 'Bearer' })).status,
      (await call({ ...header, 'x-api-key': 'x' })).status,
      (await call({})).status,
    ]
    expect(statuses).toEqual([200, 200, 200, 401, 401, 401, 401, 401])
    const served = (await callsOf(7)).filter(({ decision }) => decision === 'allow')
    const ann: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub
    expect(served.map(({ subject, beside }) => [subject, beside])).toEqual([
      [ann, undefined],
      ['proxy|bob@corp.example', undefined],
      [ann, 'proxy|bob@corp.example'],
    ])
  })

  it('leaves the number of missing headers alone when a token comes', async () => {
    const { tokenFor, metrics } = await start({ proxy: {} })
    const token = await tokenFor('notes')
    expect((await call({}, token)).status).toBe(200)
    expect(sumOf(parseSeries(await metrics()), 'mcp_proxy_header_missing')).toBe(0)
  })

  it('takes what nginx passes on of its own password prompt for no credential, beside the user it proved', async () => {
    await start({ proxy: {} })
    const basic = 'Authorization: Basic am9objpzZWNyZXQ='
    expect((await whoami(`${USER}: john`, basic)).body).toMatchObject({ identity: 'john' })
    expect((await whoami(basic)).status).toBe(401)
  })
})

describe('a bearer in another header', () => {
  it('is the gate’s own, and Authorization is whoever else’s', async () => {
    const { tokenFor } = await start({ header: 'X-MCP-Gateway-Auth' })
    const token = await tokenFor('notes')
    const ours = (name: string) => call({ [name]: `bearer ${token}`, authorization: 'Bearer of-somebody-else' })
    expect([(await ours('X-MCP-Gateway-Auth')).status, (await ours('x-mcp-gateway-auth')).status]).toEqual([200, 200])
    expect(canary.requests.at(-1)?.rawHeaders.join()).not.toMatch(/of-somebody-else|gateway-auth/i)
    expect((await call({}, token)).status).toBe(401)
    const line = `X-MCP-Gateway-Auth: Bearer ${token}`
    expect([(await whoami(line)).status, (await whoami(line, line)).status]).toEqual([200, 400])
  })
})

describe('several methods at once', () => {
  it('each server has its own', async () => {
    gateway = await startGateway({
      servers: [
        { id: 'internal-server', url: canary.url, auth: { tokens: false, proxy: { userHeader: 'X-Employee-Id' } } },
        { id: 'external-server', url: canary.url, auth: { proxy: false } },
        { id: 'notes', url: canary.url },
      ],
      server: TRUSTED,
      auth: { proxy: {} },
    })
    const at = async (server: string, headers: Record<string, string>, token?: string) =>
      (await callTool(gateway?.resource(server) ?? '', token, 'read_note', {}, headers)).status
    const servers = ['internal-server', 'external-server', 'notes']
    const all = async (headers: Record<string, string>) => Promise.all(servers.map((server) => at(server, headers)))
    expect(await all({ 'X-Employee-Id': '1234' })).toEqual([200, 401, 401])
    expect(await all({ [USER]: 'john' })).toEqual([401, 401, 200])
    // For a server that takes no tokens none is issued.
    const [external, notes] = [await gateway.tokenFor('external-server'), await gateway.tokenFor('notes')]
    const tokens = [notes, external, notes]
    expect(await Promise.all(servers.map((server, index) => at(server, {}, tokens[index])))).toEqual([401, 200, 200])
    expect((await get('/whoami', { headers: ['X-Employee-Id: 1234'] })).body).toMatchObject({
      subject: 'proxy:x-employee-id|1234',
    })
    expect((await get('/servers', { headers: ['X-Employee-Id: 1234'] })).body).toEqual({
      servers: [expect.objectContaining({ id: 'internal-server' })],
    })
  })
})

describe('6 what a start says', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'portcullis-proxy-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  async function saidBy(env: Record<string, string>, last: RegExp): Promise<string> {
    const command = startCommand(['serve'], { cwd: folder, env: { PORT: String(await freePort()), ...env } })
    try {
      await command.says(/Portcullis is ready/)
      await expect.poll(() => command.said).toMatch(last)
      return command.said
    } finally {
      await command.stop()
    }
  }
  const LINE = 'MCP client authentication is disabled but trust_proxy_auth is not set'

  it('warns in the same words when client auth is off and trust is off', async () => {
    const said = await saidBy({ MCP_CLIENT_AUTH_ENABLED: 'false' }, new RegExp(`Warning: ${LINE}`))
    // Nobody signs in there, so that nobody is sent to a page that is not.
    expect(said).not.toContain('Create the first administrator')
  })

  it('does not with trust, and says whose word counts then', async () => {
    const trust = /Warning: auth\.proxy \(TRUST_PROXY_AUTH\) is on and server\.trustedProxies is empty/
    expect(await saidBy({ MCP_CLIENT_AUTH_ENABLED: 'false', TRUST_PROXY_AUTH: 'true' }, trust)).not.toContain(LINE)
  })

  it('refuses the default password, or a weak one, where other machines reach the gate', async () => {
    const basic = { BASIC_AUTH_USER: 'admin', BASIC_AUTH_PASSWORD: 'changeme' }
    const port = String(await freePort())
    for (const reached of [
      { PORTCULLIS_SERVER_LISTEN: `0.0.0.0:${port}` },
      { OAUTH_DOMAIN: 'gate.example.com', PORT: port },
    ]) {
      const ended = await runCommand(['serve'], { cwd: folder, env: { ...basic, ...reached } })
      expect(ended.code).toBe(78)
      expect(ended.stderr).toMatch(/admin\.password \(BASIC_AUTH_PASSWORD\)[\s\S]*at least 15 characters/)
      expect(ended.stderr).not.toMatch(/changeme|^\s+at /m)
    }
    expect(await saidBy(basic, /Create the first administrator/)).not.toContain(LINE)
  })
})
