// What was asked, and who says so: D6, D7, D8, D12, D13, D14, D23 of the catalogue. `/admin` of the protected host wants a scope that the
// token here does not have, `/` none: nothing that any server could read as `/admin` may pass with it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { APP, type ForwardRange, startForwardRange } from '../support/forward-range.ts'
import { leniently, SPELLINGS } from '../support/spellings.ts'

const RESOURCES = [{ host: 'app.example.com' }, { host: 'app.example.com', path: '/admin', scopes: ['app:admin'] }]
const SCOPES = {
  'mcp:tools': { title: 'Use it', covers: ['*/*'] },
  'app:admin': { title: 'Manage it', covers: ['nothing/*'] },
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const traefik = (target: string, method = 'GET', host = 'app.example.com') =>
  [
    ['X-Forwarded-Method', method],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', host],
    ['X-Forwarded-Uri', target],
  ] as const
const nginx = (target: string, method = 'GET') =>
  [
    ['X-Original-URL', `${APP}${target}`],
    ['X-Original-Method', method],
  ] as const

let range: ForwardRange
let token: string
let admin: string
beforeAll(async () => {
  range = await startForwardRange({ forwardAuth: { resources: RESOURCES }, scopes: SCOPES })
  token = await range.tokenFor(APP, { scope: 'mcp:tools' })
  admin = await range.tokenFor(`${APP}/admin`, { scope: 'mcp:tools app:admin' })
})
afterAll(() => range.close())

describe('the positive twins', () => {
  it.each(['/', '/public', '/public?next=/admin', '/administration', '/caf%C3%A9', '/x/admin'])(
    '%s passes',
    async (path) => {
      const before = range.ingress.passed.length
      expect((await range.call(path, { headers: bearer(token) })).status).toBe(200)
      expect(range.ingress.passed.slice(before).map(({ target }) => target)).toEqual([path])
    },
  )

  it('/admin passes with its own token and scope, and not with the other', async () => {
    expect((await range.call('/admin/users', { headers: bearer(admin) })).status).toBe(200)
    expect((await range.call('/admin/users', { headers: bearer(token) })).status).toBe(401)
  })
})

describe('D13 and D14: one path in many spellings', () => {
  it('has enough of them', () => {
    expect(SPELLINGS.length).toBeGreaterThan(180)
    expect(SPELLINGS.filter((spelling) => leniently(spelling).startsWith('/admin')).length).toBeGreaterThan(150)
  })

  it.each(['traefik', 'nginx'])('none reaches /admin past its scope: %s', async (kind) => {
    const answered = new Map<string, number>()
    for (const spelling of SPELLINGS) {
      const fields = kind === 'nginx' ? nginx(spelling) : traefik(spelling)
      answered.set(spelling, (await range.ask([...fields, ['Authorization', `Bearer ${token}`]])).status)
    }
    const reaching = [...answered].filter(
      ([spelling, status]) => status === 200 && /^\/admin(?:\/|$)/.test(leniently(spelling)),
    )
    expect(reaching).toEqual([])
    const known = kind === 'nginx' ? [200, 401, 403] : [200, 400, 401, 403]
    expect([...answered].filter(([, status]) => !known.includes(status))).toEqual([])
  })

  it('what passes is byte for byte what was asked', async () => {
    for (const spelling of SPELLINGS) {
      const before = range.ingress.passed.length
      const answer = await range.call(spelling, { headers: bearer(token) })
      const passed = range.ingress.passed.slice(before).map(({ target }) => target)
      expect(passed).toEqual(answer.status === 200 ? [spelling] : [])
    }
  })
})

describe('D7: query and fragment decide nothing', () => {
  it.each(['/admin?x=/public', '/admin?/public', '/admin#/public', '/admin?portcullis_code=/public'])(
    '%s',
    async (path) => {
      expect((await range.call(path, { headers: bearer(token) })).status).not.toBe(200)
      expect((await range.call(path.replace('#', '?'), { headers: bearer(admin) })).status).toBe(200)
    },
  )
})

describe('D8 and D23: nothing is exempt', () => {
  it.each(['GoogleHC/1.0', 'kube-probe/1.29', 'ELB-HealthChecker/2.0', 'Prometheus/2.0'])(
    'not for being called %s',
    async (agent) => {
      expect((await range.call('/', { headers: { 'user-agent': agent } })).status).toBe(401)
      expect((await range.call('/', { headers: { 'user-agent': agent, ...bearer(token) } })).status).toBe(200)
    },
  )

  it.each([
    ...['/sse', '/mcp/sse', '/x/sse', '/health', '/healthz', '/static/x', '/favicon.ico', '/.well-known/jwks.json'],
    ...[
      '/.well-known/oauth-protected-resourceX',
      '/.well-known/oauth-protected-resource.',
      '/x/.well-known/oauth-protected-resource',
    ],
    ...['/.well-known/../mcp', '/static/../mcp', '/health/../mcp', '/.well-known/oauth-protected-resource/../../mcp'],
    ...[
      '/.well-known/oauth-protected-resource/..%2f..%2fmcp',
      '/.well-known//oauth-protected-resource',
      '/auth',
      '/auth/sign-in',
    ],
  ])('not for its path: %s', async (path) => {
    expect([400, 401]).toContain((await range.call(path)).status)
  })

  it('the document is for reading only', async () => {
    const path = '/.well-known/oauth-protected-resource'
    expect((await range.ask(traefik(path))).status).toBe(200)
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
      expect((await range.ask(traefik(path, method))).status).toBe(401)
  })

  it.each(['OPTIONS', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND'])(
    'not for its method: %s',
    async (method) => {
      expect((await range.ask(traefik('/', method))).status).toBe(401)
      expect((await range.ask([...traefik('/', method), ['Authorization', `Bearer ${token}`]])).status).toBe(200)
    },
  )
})

describe('D12: a target that is no path', () => {
  it.each([
    'http:http://x/admin',
    'http://other/admin',
    `${APP}/admin`,
    'admin',
    '*',
    '',
    '?',
    '/a b',
    '/\u00e9',
    '//evil.example/',
  ])('%j', async (target) => {
    const answer = await range.ask([...traefik(target), ['Authorization', `Bearer ${token}`]])
    expect(answer.status).toBe(400)
  })

  it.each(['CONNECT', 'get', 'G ET', ''])('method %j', async (method) => {
    expect((await range.ask([...traefik('/', method), ['Authorization', `Bearer ${token}`]])).status).toBe(400)
  })

  it.each([
    'evil.example',
    'x.app.example.com',
    'app.example.com.evil.example',
    'app.example.com:8443',
    'gate.example.com',
    'localhost',
  ])('another host: %s', async (host) => {
    const answer = await range.ask([...traefik('/', 'GET', host), ['Authorization', `Bearer ${token}`]])
    expect(answer.status).toBe(403)
    expect(answer.headers['www-authenticate']).toBeUndefined()
    expect(range.gateway.log.join('\n')).toContain('forwardAuth.resources')
  })

  it.each(['app.example.com, evil.example', 'u@app.example.com', 'app.example.com/x', 'app.example.com#', '[::1', ''])(
    'a host that is none: %j',
    async (host) => {
      expect((await range.ask([...traefik('/', 'GET', host), ['Authorization', `Bearer ${token}`]])).status).toBe(400)
    },
  )
})

describe('D6: fields that somebody else wrote', () => {
  it.each([
    ['X-Original-URL', `${APP}/public`],
    ['X-Original-URI', '/public'],
    ['X_Forwarded_Uri', '/public'],
    ['X.Forwarded.Uri', '/public'],
    ['X-Forwarded_Host', 'app.example.com'],
    ['x-forwarded-uri', '/public'],
  ])('a caller’s own %s beside those of the ingress changes nothing', async (name, value) => {
    const answer = await range.ask([...traefik('/admin'), [name, value], ['Authorization', `Bearer ${token}`]])
    expect([400, 401, 403]).toContain(answer.status)
    expect((await range.call('/public', { headers: bearer(token) })).status).toBe(200)
  })

  it.each([
    ['X-Rewrite-URL', '/public'],
    ['X-Forwarded-Prefix', '/public'],
    ['X-Forwarded-Path', '/public'],
    ['X-Original-Method', 'GET'],
    ['X-HTTP-Method-Override', 'GET'],
    ['X-Forwarded-Port', '80'],
    ['Forwarded', 'host=open.example.com;proto=http'],
  ])('%s means nothing', async (name, value) => {
    expect((await range.call('/admin', { headers: { [name]: value, ...bearer(token) } })).status).toBe(401)
    expect((await range.call('/public', { headers: { [name]: value, ...bearer(token) } })).status).toBe(200)
  })

  it('of a peer that is no trusted ingress are not read at all', async () => {
    const far = await startForwardRange({
      server: { trustedProxies: ['10.0.0.1'] },
      forwardAuth: { path: '/sse', resources: RESOURCES },
    })
    const own = await far.tokenFor(APP)
    const healthz = [['X-Forwarded-Uri', '/healthz'] as const, ['X-Original-URL', 'https://x/'] as const]
    for (const fields of [traefik('/'), nginx('/'), healthz]) {
      const answer = await far.ask([...fields, ['Authorization', `Bearer ${own}`]])
      expect(answer.status).toBe(403)
      expect(answer.text).not.toContain('trustedProxies')
    }
    // The second address is a door for MCP clients then, or nothing: never the check of what a stranger names.
    const direct = await far.ask([...traefik('/'), ['Authorization', `Bearer ${own}`]], { path: '/sse' })
    expect(direct.status).not.toBe(200)
    expect(far.gateway.log.join('\n')).toMatch(/Add 127\.0\.0\.1 to server\.trustedProxies/)
    await far.close()
  })
})
