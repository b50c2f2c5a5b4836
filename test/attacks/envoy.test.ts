// Envoy's ext_authz, over HTTP and over gRPC: D4, D6, D8, D12, D13, D14, D22 of the catalogue, and E9 where the message is cut.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  answerOf,
  DIALECTS,
  type Dialect,
  type EnvoyAsk,
  type EnvoyRange,
  HOST,
  startEnvoyRange,
} from '../support/envoy-range.ts'
import { serialized } from '../support/ext-authz.ts'
import { APP } from '../support/forward-range.ts'
import { COPIED } from '../support/ingress.ts'
import { legible } from '../support/legible.ts'
import { leniently, SPELLINGS } from '../support/spellings.ts'

const RESOURCES = [{ host: HOST }, { host: HOST, path: '/admin', scopes: ['app:admin'] }]
const SCOPES = {
  'mcp:tools': { title: 'Use it', covers: ['*/*'] },
  'app:admin': { title: 'Manage it', covers: ['nothing/*'] },
}
const OURS = COPIED.map((name) => name.toLowerCase())

let range: EnvoyRange
let token: string
let admin: string
beforeAll(async () => {
  range = await startEnvoyRange({ forwardAuth: { resources: RESOURCES }, scopes: SCOPES })
  token = await range.tokenFor(APP, { scope: 'mcp:tools' })
  admin = await range.tokenFor(`${APP}/admin`, { scope: 'mcp:tools app:admin' })
})
afterAll(() => range.close())

const statusOf = async (dialect: Dialect, asked: EnvoyAsk) => (await range.as(dialect, asked)).status

describe.each(DIALECTS)('%s', (dialect) => {
  describe('the positive twins', () => {
    it.each(['/', '/public', '/public?next=/admin', '/administration', '/caf%C3%A9', '/x/admin'])(
      '%s passes',
      async (path) => {
        expect(await statusOf(dialect, { path, token })).toBe(200)
        expect(await statusOf(dialect, { path })).toBe(401)
      },
    )

    it('/admin passes with its own token and scope, and not with the other', async () => {
      expect(await statusOf(dialect, { path: '/admin/users', token: admin })).toBe(200)
      expect(await statusOf(dialect, { path: '/admin/users', token })).toBe(401)
    })

    it.each(['OPTIONS', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'])(
      '%s is asked about as it is',
      async (method) => {
        expect(await statusOf(dialect, { method, token })).toBe(200)
        expect(await statusOf(dialect, { method })).toBe(401)
      },
    )
  })

  describe('D13 and D14: one path in many spellings', () => {
    it('none reaches /admin past its scope', async () => {
      const answered = new Map<string, number>()
      for (const path of SPELLINGS) answered.set(path, await statusOf(dialect, { path, token }))
      const reaching = [...answered].filter(
        ([path, status]) => status === 200 && /^\/admin(?:\/|$)/.test(leniently(path)),
      )
      expect(reaching).toEqual([])
      expect([...answered].filter(([, status]) => ![200, 400, 401, 403].includes(status))).toEqual([])
      expect([...answered].filter(([, status]) => status === 200).length).toBeGreaterThan(0)
    })

    it('none steps out of the prefix to another address of the gate', async () => {
      const steps = [
        '/../../auth',
        '/../../health',
        '/..%2f..%2fhealth',
        '/%2e%2e/%2e%2e/metrics',
        '//health',
        '/./health',
      ]
      for (const path of steps) expect(await statusOf(dialect, { path, token })).toBe(400)
      // An address of ours behind it is one of the protected host.
      for (const path of ['/health', '/metrics', '/auth', '/authz/envoy/x', '/api/v1/tokens']) {
        expect(await statusOf(dialect, { path })).toBe(401)
        expect(await statusOf(dialect, { path, token })).toBe(200)
      }
    })
  })

  describe('D12: a target that is no path', () => {
    it.each([
      'http:http://x/admin',
      'http://other/admin',
      `${APP}/admin`,
      'admin',
      '*',
      ':443',
      '?',
      '//evil.example/',
    ])('%j', async (path) => {
      expect([400, 404]).toContain(await statusOf(dialect, { path, token }))
    })

    it('CONNECT', async () => {
      expect([400, 503]).toContain(await statusOf(dialect, { method: 'CONNECT', token }))
    })

    it.each(['evil.example', `x.${HOST}`, `${HOST}.evil.example`, `${HOST}:8443`])('another host: %s', async (host) => {
      const answer = await range.as(dialect, { host, token })
      expect(answer.status).toBe(403)
      expect(answer.told['www-authenticate']).toBeUndefined()
      expect(range.gateway.log.join('\n')).toContain('forwardAuth.resources')
    })

    it.each([`${HOST}, evil.example`, `u@${HOST}`, `${HOST}/x`, `${HOST}#`, '[::1', ''])(
      'a host that is none: %j',
      async (host) => {
        expect(await statusOf(dialect, { host, token })).toBe(400)
      },
    )
  })

  describe('D4: a field of ours that the caller wrote', () => {
    it.each(OURS)('%s is not the caller’s', async (field) => {
      for (const headers of [
        [[field, 'root']],
        [
          [field, 'root'],
          [field, 'admin'],
        ],
        [[field, 'root,admin']],
      ]) {
        const { status, behind } = await range.as(dialect, { headers: headers as [string, string][], token })
        expect(status).toBe(200)
        expect(legible(behind[field] ?? '')).not.toMatch(/root|admin/)
      }
    })

    it('one value each, and the right one', async () => {
      const { behind } = await range.as(dialect, { token, headers: [['x-forwarded-user', 'root']] })
      expect(behind['x-forwarded-user']).toBe('ann@example.com')
      expect(behind['x-forwarded-groups']).toBe('engineering')
    })
  })

  describe('two credentials in one line, as Envoy joins them (C27)', () => {
    it.each([
      [
        'two tokens',
        () => [
          ['authorization', `Bearer ${token}`],
          ['authorization', `Bearer ${token}`],
        ],
      ],
      [
        'a bad one first',
        () => [
          ['authorization', 'Bearer x'],
          ['authorization', `Bearer ${token}`],
        ],
      ],
      [
        'a key twice',
        () => [
          ['x-api-key', 'pc_x'],
          ['x-api-key', 'pc_y'],
        ],
      ],
      [
        'a token and a key',
        () => [
          ['authorization', `Bearer ${token}`],
          ['x-api-key', 'pc_x'],
        ],
      ],
    ])('%s: 400', async (_what, lines) => {
      expect(await statusOf(dialect, { headers: lines() as [string, string][] })).toBe(400)
      expect(await statusOf(dialect, { headers: [['authorization', `Bearer ${token}`]] })).toBe(200)
    })
  })

  describe('D6 and D8: what the caller writes decides nothing', () => {
    it.each([
      ['x-forwarded-uri', '/public'],
      ['x-original-url', `${APP}/public`],
      ['x-rewrite-url', '/public'],
      ['x-envoy-original-path', '/public'],
      ['x-forwarded-prefix', '/public'],
      ['x-forwarded-host', 'open.example.com'],
      ['x-original-method', 'GET'],
      ['x-http-method-override', 'GET'],
      ['x-envoy-internal', 'true'],
      ['x-forwarded-proto', 'http'],
      ['user-agent', 'GoogleHC/1.0'],
    ])('%s', async (name, value) => {
      const headers = [[name, value]] as const
      expect(await statusOf(dialect, { path: '/admin', headers, token })).toBe(401)
      expect(await statusOf(dialect, { path: '/public', headers })).toBe(401)
      expect(await statusOf(dialect, { path: '/public', headers, token })).toBe(200)
    })
  })
})

describe('D4 over gRPC: every other spelling is removed', () => {
  const ALIASES = [
    ...OURS.flatMap((name) => [name.replaceAll('-', '_'), name.replaceAll('-', '.'), name.replace('-', '_')]),
    'x_forwarded-user',
    'x.forwarded_user',
  ]
  it('whatever stands between its words', async () => {
    const sent = Object.fromEntries([...ALIASES, 'x-forwarded-userx', 'x_request_id'].map((name) => [name, 'root']))
    const headers = { ...sent, authorization: `Bearer ${token}` }
    const answer = await range.asking.check({ http: { method: 'GET', path: '/', host: HOST, headers } })
    const { status, behind } = answerOf(answer, headers)
    expect(status).toBe(200)
    for (const name of ALIASES) expect([name, behind[name]]).toEqual([name, undefined])
    // What only looks alike is not ours to remove.
    expect([behind['x-forwarded-userx'], behind['x_request_id']]).toEqual(['root', 'root'])
  })
})

describe('gRPC: a question that two readers could understand differently', () => {
  const http = () => ({
    method: 'GET',
    path: '/',
    host: HOST,
    headers: { authorization: `Bearer ${token}` },
  })
  const check = async (more: object) => answerOf(await range.asking.check({ http: { ...http(), ...more } }), {}).status

  it('is answered as it stands where it cannot', async () => {
    expect(await check({})).toBe(200)
    expect(await check({ headers: { ':path': '/', ':method': 'GET', ':authority': HOST, ...http().headers } })).toBe(
      200,
    )
  })

  it.each([
    ['a path beside another', { headers: { ':path': '/public', authorization: 'x' }, path: '/admin' }],
    ['a host beside another', { headers: { ':authority': 'other.example.com' } }],
    ['a method beside another', { headers: { ':method': 'GET' }, method: 'POST' }],
    [
      'headers in both forms',
      { header_map: { headers: [{ key: 'authorization', raw_value: Buffer.from('Bearer x') }] } },
    ],
  ])('%s: 400', async (_what, more) => {
    expect(await check(more)).toBe(400)
  })

  it('two lines of a field that may come once: 400', async () => {
    const line = (key: string, value: string) => ({ key, raw_value: Buffer.from(value) })
    const bearer = line('authorization', `Bearer ${token}`)
    const raw = (headers: object[]) => check({ headers: {}, header_map: { headers } })
    expect(await raw([bearer])).toBe(200)
    expect(await raw([bearer, bearer])).toBe(400)
    expect(await raw([line('Authorization', 'Bearer x'), bearer])).toBe(400)
    expect(await raw([bearer, line('mcp-session-id', 'a'), line('mcp-session-id', 'b')])).toBe(400)
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['garbage', Buffer.from('no message')],
    ['a message cut off', Buffer.from([0x0a, 0x7f, 0x01])],
    ['attributes twice', Buffer.from([0x0a, 0x00, 0x0a, 0x00])],
  ])(
    '%s: 400, and an answer of the service, since an error would leave the decision to Envoy',
    async (_what, bytes) => {
      const answer = await range.asking.send(bytes)
      expect([answer.status.code, answer.http_response, answer.denied_response?.status.code]).toEqual([
        7,
        'denied_response',
        400,
      ])
    },
  )
})

describe('E9: a message that is not whole, or not as it was sent', () => {
  let narrow: EnvoyRange
  let own: string
  beforeAll(async () => {
    narrow = await startEnvoyRange({ policy: { rules: [{ allow: [`${HOST}/read_*`], to: ['*'] }] } })
    own = await narrow.tokenFor()
  })
  afterAll(() => narrow.close())

  const READ = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'read_note' } })
  const MODERN = [
    ['mcp-protocol-version', '2026-07-28'],
    ['mcp-method', 'tools/call'],
    ['mcp-name', 'read_note'],
  ] as const
  const JSON_TYPE = ['content-type', 'application/json'] as const

  it.each(DIALECTS)('%s: a part is refused, whatever its fields say', async (dialect) => {
    const ask = (headers: EnvoyAsk['headers'], body = READ) =>
      narrow.as(dialect, { method: 'POST', path: '/mcp', token: own, body, headers: [JSON_TYPE, ...(headers ?? [])] })
    expect((await ask([])).status).toBe(200)
    expect((await ask([['x-envoy-auth-partial-body', 'false']])).status).toBe(200)
    for (const said of ['true', '1', 'true,false', ''])
      expect((await ask([['x-envoy-auth-partial-body', said], ...MODERN])).status).toBe(403)
    expect((await ask(MODERN, '')).status).toBe(200)
    expect(narrow.gateway.log.join('\n')).toContain('allow_partial_message: false')
  })

  it('gRPC: as text with a `!` it may have been another', async () => {
    const check = async (http: object) => {
      const headers = { authorization: `Bearer ${own}`, 'content-type': 'application/json' }
      return answerOf(
        await narrow.asking.check({ http: { method: 'POST', path: '/mcp', host: HOST, headers, ...http } }),
        {},
      )
    }
    const loud = READ.replace('read_note', 'read_note!')
    expect((await check({ body: READ })).status).toBe(200)
    expect((await check({ body: loud })).status).toBe(403)
    expect(narrow.gateway.log.join('\n')).toContain('pack_as_bytes: true')
    expect((await check({ raw_body: Buffer.from(loud) })).status).toBe(200)
    expect((await check({ body: READ, raw_body: Buffer.from(READ) })).status).toBe(400)
    const broken = Buffer.concat([Buffer.from(READ.slice(0, -4)), Buffer.from([0xff]), Buffer.from(READ.slice(-4))])
    expect((await check({ raw_body: broken })).status).toBe(400)
  })

  it('gRPC: more than the gate takes of anybody is refused', async () => {
    const headers = { authorization: `Bearer ${own}`, 'content-type': 'application/json' }
    const large = (size: number) => ({
      http: { method: 'POST', path: '/mcp', host: HOST, headers, raw_body: Buffer.alloc(size, ' ') },
    })
    for (const size of [1024 * 1024 + 1, 3 * 1024 * 1024])
      expect(answerOf(await narrow.asking.check(large(size)), {}).status).toBe(413)
    expect(answerOf(await narrow.asking.check(large(1000)), {}).status).toBe(400)
  })
})

describe('D22: what is broken stays shut', () => {
  it('a peer that is no ingress is told nothing, over gRPC as a denial', async () => {
    const far = await startEnvoyRange({ server: { trustedProxies: ['10.0.0.1'] } })
    const own = await far.tokenFor()
    for (const dialect of DIALECTS) {
      const answer = await far.as(dialect, { token: own })
      expect(answer.status).toBe(403)
      expect(answer.body).not.toContain('trustedProxies')
    }
    expect(far.gateway.log.join('\n')).toMatch(/Add 127\.0\.0\.1 to server\.trustedProxies/)
    await far.close()
  })

  it('without trustedProxies this machine may ask, also about hosts that are not ours', async () => {
    const near = await startEnvoyRange({ server: { trustedProxies: [] } })
    const own = await near.tokenFor()
    for (const dialect of DIALECTS) {
      expect((await near.as(dialect, { token: own })).status).toBe(200)
      expect((await near.as(dialect, { host: 'rebound.example', token: own })).status).toBe(403)
    }
    await near.close()
  })

  it('a store that is gone: no pass, and over gRPC a denial with 5xx, never an error of gRPC', async () => {
    const broken = await startEnvoyRange()
    const own = await broken.tokenFor()
    for (const dialect of DIALECTS) expect((await broken.as(dialect, { token: own })).status).toBe(200)
    await broken.gateway.store.close()
    broken.gateway.clock.advance('10s')
    for (const dialect of DIALECTS) {
      const answer = await broken.as(dialect, { token: own })
      expect(answer.status).toBeGreaterThanOrEqual(500)
      expect(answer.body).not.toMatch(/\n\s+at |sqlite|node:/i)
      expect(answer.behind).toEqual({})
    }
    await broken.close().catch(() => undefined)
  })

  it('a closed door is closed in both dialects', async () => {
    const closed = await startEnvoyRange({ doors: { decision: false } })
    expect((await closed.as('http', {})).status).toBe(404)
    await expect(closed.as('grpc', {})).rejects.toMatchObject({ code: 14 })
    await closed.close()
  })

  it('no change of a question without a credential makes it pass', async () => {
    const question = Buffer.from(
      serialized({ http: { method: 'GET', path: '/', host: HOST, headers: { accept: '*/*' } } }),
    )
    expect((await range.asking.send(question)).denied_response?.status.code).toBe(401)
    const change = fc.record({ at: fc.nat(question.length - 1), to: fc.nat(255), cut: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const changed = Buffer.from(question)
        for (const { at, to } of changes) changed[at] = to
        const sent = changes[0]?.cut ? changed.subarray(0, changes[0].at) : changed
        const answer = await range.asking.send(sent)
        expect([400, 401, 403]).toContain(answer.denied_response?.status.code)
        expect(answer.status.code).not.toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  it('nobody who shows nothing gets in, whatever the question', async () => {
    for (const dialect of DIALECTS)
      for (const path of ['/', '/sse', '/health', '/.well-known/x', '/auth/sign-in'])
        expect(await statusOf(dialect, { path, headers: [['x-forwarded-user', 'root']] })).toBe(401)
  })
})
