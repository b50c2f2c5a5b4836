// The door for decisions: nearness, forged fields, odd addresses and bodies, and what happens when something is broken. D4, D6, D12 to
// D14, D16, D22 of the catalogue, with C27, E8 and E10 where they apply here.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminApiOf } from '../support/admin-api.ts'
import { bearer, type Decisions, decisionsAs, PATH } from '../support/authzen.ts'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { addUser } from '../support/people.ts'
import { createPerson } from '../support/person.ts'
import { converse, type RawHeader, rawRequest } from '../support/raw.ts'

const ROOT = { username: 'root', password: 'eleven quiet owls in a barn', administrator: true }

async function start(): Promise<{ gateway: TestGateway; secret: string; service: Decisions }> {
  const gateway = await startGateway({
    servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }],
    // A peer whose word counts elsewhere, for identity as well as for requests.
    server: { trustedProxies: ['127.0.0.1'] },
    auth: { proxy: { userHeader: 'X-Forwarded-User' } },
    policy: {
      rules: [
        { id: 'read', allow: ['notes/read_*'], to: ['*'] },
        {
          id: 'no-force',
          deny: ['notes/read_lines'],
          to: ['*'],
          when: 'has(args.l) && args.l.exists(x, has(x.force))',
        },
      ],
    },
  })
  await addUser(gateway.store, ROOT)
  await addUser(gateway.store, ANN)
  const api = await adminApiOf(gateway, createPerson(ROOT), 'portcullis:admin')
  const { secret } = await api.token({ name: 'pep', kind: 'service', owner: 'ingress', scopes: ['portcullis:decide'] })
  return { gateway, secret, service: decisionsAs(gateway, bearer(secret)) }
}

let gateway: TestGateway
let secret: string
let service: Decisions
beforeAll(async () => {
  ;({ gateway, secret, service } = await start())
})
afterAll(() => gateway?.close())

const ASKED = {
  subject: { type: 'user', id: 'ann@example.com' },
  action: { name: 'call' },
  resource: { type: 'tool', id: 'notes/read_note' },
}
const permits = async (own: Decisions = service) => {
  const { status, body } = await own.evaluation(ASKED)
  return status === 200 ? body.decision : status
}

async function raw(headers: readonly RawHeader[], more: { target?: string; body?: string; method?: string } = {}) {
  const { target = `${PATH}/evaluation`, body = JSON.stringify(ASKED), method = 'POST' } = more
  const own: RawHeader[] = [
    ['Host', `127.0.0.1:${gateway.port}`],
    ['Content-Type', 'application/json'],
    ['Content-Length', String(Buffer.byteLength(body))],
    ['Connection', 'close'],
  ]
  const { answers } = await converse(
    gateway.port,
    rawRequest({ method, target, headers: [...own, ...headers], body }),
    [method],
  )
  return { status: answers[0]?.status ?? 0, body: answers[0]?.body.toString() ?? '' }
}
const TOKEN = (): RawHeader => ['Authorization', `Bearer ${secret}`]

describe('being near is not enough (D16)', () => {
  it.each<[string, RawHeader[]]>([
    ['nothing', []],
    ['a user that a trusted proxy names', [['X-Forwarded-User', 'root@example.com']]],
    [
      'an ingress’s fields',
      [
        ['X-Forwarded-Method', 'GET'],
        ['X-Forwarded-Host', 'x'],
        ['X-Forwarded-Uri', '/'],
      ],
    ],
    ['a password', [['Authorization', `Basic ${Buffer.from('root:eleven quiet owls in a barn').toString('base64')}`]]],
    ['a cookie', [['Cookie', 'portcullis_session=x']]],
  ])('a trusted peer with %s: 401', async (_what, headers) => {
    expect((await raw(headers)).status).toBe(401)
    expect((await raw([TOKEN(), ...headers.filter(([name]) => name !== 'Authorization')])).status).toBe(200)
  })

  it('without a credential nothing of the question is looked at', async () => {
    const bodies = [JSON.stringify(ASKED), '{}', 'no json', '[]']
    const answers = await Promise.all(bodies.map((body) => raw([], { body })))
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1)
  })
})

describe('C27 and D4: credentials that come twice, or in two places', () => {
  it.each<[string, () => RawHeader[], number]>([
    ['two lines', () => [TOKEN(), TOKEN()], 400],
    ['a bad one first', () => [['Authorization', 'Bearer x'], TOKEN()], 400],
    ['a list', () => [['Authorization', `Bearer ${secret},Bearer ${secret}`]], 401],
    ['a token and a key', () => [TOKEN(), ['X-API-Key', secret]], 400],
    ['one', () => [TOKEN()], 200],
  ])('%s', async (_what, headers, status) => {
    expect((await raw(headers())).status).toBe(status)
  })

  it('in the address: 400', async () => {
    for (const name of ['access_token', 'token', 'api_key'])
      expect((await raw([], { target: `${PATH}/evaluation?${name}=${secret}` })).status).toBe(400)
    expect(gateway.log.join('\n')).not.toContain(secret)
  })
})

describe('D6: fields that name another request', () => {
  it.each<RawHeader>([
    ['X-Original-URL', '/access/v1/evaluations'],
    ['X-Rewrite-URL', '/health'],
    ['X-Forwarded-Uri', '/health'],
    ['X-HTTP-Method-Override', 'GET'],
    ['X-Forwarded-Prefix', '/x'],
    ['X-Forwarded-Host', 'evil.example'],
  ])('%s', async (name, value) => {
    expect((await raw([[name, value]])).status).toBe(401)
    const answer = await raw([TOKEN(), [name, value]])
    expect([answer.status, JSON.parse(answer.body).decision]).toEqual([200, true])
    expect(answer.body).not.toContain('evil.example')
  })
})

describe('D12 to D14: other spellings of the address', () => {
  it.each([
    '/access/v1/evaluation/',
    '/access/v1/Evaluation',
    '/ACCESS/v1/evaluation',
    '/access//v1/evaluation',
    '/access/v1/./evaluation',
    '/access/v1/x/../evaluation',
    '/access/v1/%65valuation',
    '/access/v1%2fevaluation',
    '/access/v1/evaluation;x',
    '/access/v1\\evaluation',
    '/access/v1',
    '/access/v1/',
    '/access/v1/search/subject',
    'http://other/access/v1/evaluation',
    'access/v1/evaluation',
    '*',
  ])('%s is none', async (target) => {
    expect([400, 404]).toContain((await raw([TOKEN()], { target })).status)
    expect((await raw([TOKEN()])).status).toBe(200)
  })
})

describe('bodies (E8, E10)', () => {
  const many = (count: number) => ({ ...ASKED, evaluations: Array.from({ length: count }, () => ({})) })

  it('at most a thousand evaluations', async () => {
    const good = await service.evaluations(many(1000))
    expect([good.status, good.body.evaluations.length]).toEqual([200, 1000])
    expect(good.body.evaluations.every(({ decision }: { decision: boolean }) => decision)).toBe(true)
    expect((await service.evaluations(many(1001))).status).toBe(400)
  })

  it.each<[string, () => string, number]>([
    ['too large', () => JSON.stringify({ ...ASKED, context: { x: 'x'.repeat(1024 * 1024) } }), 413],
    ['deep beyond reason', () => `{"subject":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, 400],
    [
      'a name beyond reason',
      () => JSON.stringify({ ...ASKED, resource: { type: 'tool', id: `notes/${'x'.repeat(9000)}` } }),
      400,
    ],
    ['a prototype', () => '{"__proto__":{"subject":{}}}', 400],
    [
      'a prototype in properties',
      () => JSON.stringify(ASKED).replace('"id":"ann', '"properties":{"__proto__":{"x":1}},"id":"ann'),
      400,
    ],
    ['a mark before it', () => `\ufeff${JSON.stringify(ASKED)}`, 400],
  ])('%s', async (_what, body, status) => {
    expect((await service.evaluation(body())).status).toBe(status)
    expect(await permits()).toBe(true)
  })

  it('bytes that are not UTF-8: 400', async () => {
    const [before, after] = JSON.stringify(ASKED).split('read_note')
    const body = Buffer.concat([Buffer.from(`${before}read_`), Buffer.from([0xff]), Buffer.from(String(after))])
    expect((await service.evaluation(body)).status).toBe(400)
  })

  it.each(['gzip', 'br', 'identity, gzip'])('compressed (%s): 415', async (coding) => {
    expect((await service.evaluation(ASKED, { 'content-encoding': coding })).status).toBe(415)
  })
})

describe('what the caller writes stays what it is', () => {
  it('a request id that could become a field of its own is not echoed', async () => {
    for (const id of ['é', 'x'.repeat(300)]) {
      const answer = await service.evaluation(ASKED, { 'x-request-id': Buffer.from(id).toString('latin1') })
      expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    }
    expect((await service.evaluation(ASKED, { 'x-request-id': 'a b' })).headers.get('x-request-id')).toBe('a b')
  })

  it('names in the record are one line of text', async () => {
    const resource = { type: 'tool', id: 'notes/read_\u001b[31m\n\u202e' }
    const { body } = await service.evaluation({ ...ASKED, resource })
    await gateway.audit((all) => all.some(({ id }) => id === body.context.id))
    const found = await gateway.store.records.find(body.context.id)
    const odd = [...(found?.line ?? '\n')].filter((letter) => letter < ' ' || letter === '\u202e')
    expect(odd).toEqual([])
  })
})

describe('D22: what is broken stays shut', () => {
  it('a store that is gone: no decision at all', async () => {
    const broken = await start()
    expect(await permits(broken.service)).toBe(true)
    await broken.gateway.store.close()
    broken.gateway.clock.advance('10s')
    const answer = await broken.service.evaluation(ASKED)
    expect(answer.status).toBeGreaterThanOrEqual(500)
    expect(JSON.stringify(answer.body)).not.toMatch(/decision|sqlite|\\n\s+at /)
    await broken.gateway.close().catch(() => undefined)
  })

  it('a token that ends: 401 at once', async () => {
    const own = await start()
    expect(await permits(own.service)).toBe(true)
    const [token] = await own.gateway.store.durable.apiTokens.list({
      owner: 'service:ingress',
      living: undefined,
      limit: 1,
      offset: 0,
    })
    const api = await adminApiOf(own.gateway, createPerson(ROOT), 'portcullis:admin')
    expect((await api.send('DELETE', `/tokens/${token?.id}`)).status).toBe(204)
    expect(await permits(own.service)).toBe(401)
    await own.gateway.close()
  })

  it('an administrator who is one no more: 403', async () => {
    const own = await start()
    const api = await adminApiOf(own.gateway, createPerson(ROOT), 'portcullis:tokens')
    const { secret: theirs } = await api.token({ name: 'mine', scopes: ['portcullis:decide'] })
    const asking = decisionsAs(own.gateway, bearer(theirs))
    expect(await permits(asking)).toBe(true)
    const root = await own.gateway.store.durable.users.findByIdentity('local', 'root')
    await own.gateway.store.durable.users.setDisabled(root?.id ?? '', true, own.gateway.clock.now())
    own.gateway.clock.advance('10s')
    expect(await permits(asking)).toBe(401)
    await own.gateway.close()
  })

  it('a closed door: 404, and out of every document', async () => {
    const closed = await startGateway({ doors: { decision: false } })
    for (const path of [
      `${PATH}/evaluation`,
      `${PATH}/evaluations`,
      '/.well-known/authzen-configuration',
      `/.well-known/oauth-protected-resource${PATH}`,
    ])
      expect([path, (await fetch(`${closed.url}${path}`)).status]).toEqual([path, 404])
    await closed.close()
    expect((await fetch(`${gateway.url}/.well-known/oauth-protected-resource${PATH}`)).status).toBe(200)
  })
})

describe('facts that are none', () => {
  it.each([
    ['arguments that are a text', { action: { name: 'call', properties: { arguments: 'amount=5' } } }],
    ['arguments that are a list', { action: { name: 'call', properties: { arguments: [5] } } }],
    ['arguments of the resource', { resource: { ...ASKED.resource, properties: { arguments: null } } }],
    ['an address that is none', { context: { address: 'intranet' } }],
    ['two addresses', { context: { address: '192.0.2.1, 10.0.0.1' } }],
    ['an era that is none', { context: { address: '192.0.2.1', era: 'future' } }],
  ])('%s: no, and the reason', async (_what, bent) => {
    const { status, body } = await service.evaluation({ ...ASKED, ...bent })
    expect(status).toBe(200)
    expect(body).toMatchObject({ decision: false, context: { reason: 'bad_evaluation', error: { status: 400 } } })
    const fine = {
      action: { name: 'call', properties: { arguments: { amount: 5 } } },
      context: { address: '192.0.2.1', era: 'legacy' },
    }
    expect((await service.evaluation({ ...ASKED, ...fine })).body.decision).toBe(true)
  })

  it.each([
    ['{"l":[{"force":true}]}', 'denied_by_rule'],
    ['{"l":[{"Force":true}]}', 'json_key_case'],
    ['{"l":[{"\u017fum":1,"sum":2}]}', 'json_key_case'],
    ['{"l":[{"sum":1}]}', undefined],
  ])('arguments that a server could read otherwise than the rule: %s', async (text, reason) => {
    const resource = { type: 'tool', id: 'notes/read_lines' }
    const action = { name: 'call', properties: { arguments: JSON.parse(text) } }
    const { body } = await service.evaluation({ ...ASKED, resource, action })
    expect(body).toMatchObject({ decision: reason === undefined, context: { reason: reason ?? 'allowed_by_rule' } })
  })
})
