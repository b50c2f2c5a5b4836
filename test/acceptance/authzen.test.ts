// AuthZEN Authorization API 1.0: the requests of its certification scenario (Basic, Batch, Discovery) in the words of this gate, who may
// ask, and whom the answers are about.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminApiOf } from '../support/admin-api.ts'
import { bearer, type DecisionAnswer, type Decisions, decisionsAs, decisionToken, PATH } from '../support/authzen.ts'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { addUser } from '../support/people.ts'
import { createPerson } from '../support/person.ts'

const ROOT = { username: 'root', password: 'eleven quiet owls in a barn', administrator: true }
const PARTNER = 'http://127.0.0.1:9/partner'

const RULES = [
  { id: 'ann-writes', allow: ['notes/*'], to: ['user:ann@example.com'] },
  { id: 'all-read', allow: ['notes/read_*', 'prompt:notes/*', 'resource:notes/file:///public/*'], to: ['*'] },
  { id: 'no-delete', deny: ['notes/delete_*'], to: ['*'] },
  { id: 'partners', allow: ['notes/list_*'], to: ['group:partners'] },
  { id: 'host', allow: ['app.example.com/*'], to: ['group:engineering'] },
  { id: 'robot', allow: ['notes/sync'], to: ['client:robot'] },
]

let gateway: TestGateway
let service: Decisions
let secret: string
beforeAll(async () => {
  gateway = await startGateway({
    servers: [
      { id: 'notes', url: 'http://127.0.0.1:9/mcp' },
      { id: 'hidden', url: 'http://127.0.0.1:9/mcp' },
    ],
    forwardAuth: { resources: [{ host: 'app.example.com' }] },
    policy: { rules: RULES },
    auth: { issuers: [{ issuer: PARTNER, audience: 'notes' }] },
    identity: { allowedEmails: ['*@example.com', '*@partner.example'] },
  })
  await addUser(gateway.store, ROOT)
  await addUser(gateway.store, ANN)
  await gateway.person('bob')
  const api = await adminApiOf(gateway, createPerson(ROOT), 'portcullis:admin')
  const made = await api.token({ name: 'pep', kind: 'service', owner: 'ingress', scopes: ['portcullis:decide'] })
  secret = made.secret
  service = decisionsAs(gateway, bearer(secret))
})
afterAll(() => gateway?.close())

const ann = { type: 'user', id: 'ann@example.com' }
const bob = { type: 'user', id: 'bob@example.com' }
const tool = (name: string) => ({ type: 'tool', id: `notes/${name}` })
const can = (subject: object, name: string, more: object = {}) => ({
  subject,
  action: { name: 'can_use' },
  resource: tool(name),
  ...more,
})
const decisionOf = ({ status, body }: DecisionAnswer) => (status === 200 ? body.decision : status)
const decisionsOf = ({ status, body }: DecisionAnswer) =>
  status === 200 ? body.evaluations.map(({ decision }: { decision: boolean }) => decision) : status

describe('Basic: one evaluation', () => {
  it.each([
    ['permit', can(ann, 'write_note'), true],
    ['deny', can(bob, 'write_note'), false],
    ['permit, by a rule for everybody', can(bob, 'read_note'), true],
    ['deny, by a rule that outweighs', can(ann, 'delete_note'), false],
    [
      'optional context',
      can(ann, 'write_note', { context: { time: '2025-06-27T18:03-07:00', ip: '192.168.1.1' } }),
      true,
    ],
    ['unknown members', can(ann, 'write_note', { foo: 'bar', future: { nested: true } }), true],
    [
      'additional properties',
      {
        subject: { ...ann, properties: { department: 'Sales', role: 'manager', groups: ['board'] } },
        action: { name: 'can_use', properties: { method: 'GET' } },
        resource: { ...tool('write_note'), properties: { owner: 'bob' } },
      },
      true,
    ],
  ])('%s', async (_what, body, expected) => {
    const answer = await service.evaluation(body)
    expect([answer.status, answer.headers.get('content-type'), answer.body.decision]).toEqual([
      200,
      'application/json',
      expected,
    ])
    expect(answer.headers.get('cache-control')).toBe('no-store')
    // The same once more: nothing about a decision is used up.
    expect(decisionOf(await service.evaluation(body))).toBe(expected)
  })

  it('says why, and which record it is', async () => {
    const { body } = await service.evaluation(can(ann, 'delete_note'))
    expect(body.context).toMatchObject({ reason: 'denied_by_rule', rule: 'no-delete' })
    const events = await gateway.audit((all) => all.some(({ id }) => id === body.context.id))
    expect(events.find(({ id }) => id === body.context.id)).toMatchObject({
      kind: 'call',
      by: 'service:ingress',
      email: 'ann@example.com',
      server: 'notes',
      method: 'tools/call',
      name: 'delete_note',
      decision: 'deny',
      reason: 'denied_by_rule',
      rule: 'no-delete',
      status: 200,
      outcome: 'refused',
    })
  })

  const { subject, action, resource } = can(ann, 'read_note')
  it.each<[string, unknown]>([
    ['no subject', { action, resource }],
    ['no action', { subject, resource }],
    ['no resource', { subject, action }],
    ['a subject without its type', { subject: { id: 'x' }, action, resource }],
    ['a subject without its id', { subject: { type: 'user' }, action, resource }],
    ['an action without a name', { subject, action: {}, resource }],
    ['a resource without its type', { subject, action, resource: { id: 'x' } }],
    ['a resource without its id', { subject, action, resource: { type: 'tool' } }],
    ['a subject that is text', { subject: 'ann', action, resource }],
    ['a name that is a number', { subject, action: { name: 123 }, resource }],
    ['properties that are a list', { subject: { ...subject, properties: [] }, action, resource }],
    ['a list', [{ subject, action, resource }]],
    ['null', null],
    ['text that is no JSON', '{"subject":'],
    ['nothing', ''],
  ])('400: %s', async (_what, body) => {
    for (const ask of [service.evaluation, service.evaluations]) {
      const answer = await ask(body)
      expect(answer.status).toBe(400)
      // §10.1.10: an error message.
      expect(typeof answer.body).toBe('string')
    }
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'application/json; charset=latin1'])(
    '400: %s',
    async (type) => {
      expect((await service.evaluation(can(ann, 'read_note'), { 'content-type': type })).status).toBe(400)
    },
  )

  it('another method is 405', async () => {
    const answer = await fetch(`${gateway.url}${PATH}/evaluation`, { headers: bearer(secret) })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
  })

  it('echoes the request id that it was given, and makes one where there is none', async () => {
    const given = { 'x-request-id': 'bfe9eb29-ab87-4ca3-be83-a1d5d8305716' }
    const good = await service.evaluation(can(ann, 'read_note'), given)
    const bad = await service.evaluation({}, given)
    for (const answer of [good, bad]) expect(answer.headers.get('x-request-id')).toBe(given['x-request-id'])
    expect(good.body.context.id).not.toBe(given['x-request-id'])
    expect((await service.evaluation(can(ann, 'read_note'))).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('Batch: evaluations', () => {
  it('each with its own members, in their order', async () => {
    const answer = await service.evaluations({
      evaluations: [can(ann, 'write_note'), can(bob, 'write_note'), can(bob, 'read_note')],
    })
    expect(decisionsOf(answer)).toEqual([true, false, true])
    expect(answer.body.decision).toBeUndefined()
    const ids = answer.body.evaluations.map(({ context }: { context: { id: string } }) => context.id)
    expect(new Set(ids).size).toBe(3)
    const events = await gateway.audit((all) => ids.every((one: string) => all.some(({ id }) => id === one)))
    expect(
      events
        .filter(({ id }) => ids.includes(id))
        .map(({ decision }) => decision)
        .sort(),
    ).toEqual(['allow', 'allow', 'deny'])
  })

  it('with common members, which one of its own replaces', async () => {
    const { subject, action } = can(ann, '')
    const context = { time: '2025-06-27T18:03-07:00' }
    const each = [{ resource: tool('write_note') }, { resource: tool('delete_note'), context: { source: 'own' } }]
    expect(decisionsOf(await service.evaluations({ subject, action, context, evaluations: each }))).toEqual([
      true,
      false,
    ])
    const others = [{ subject: bob }, {}, { action: { name: 'unheard_of' } }]
    const common = { subject, action, resource: tool('write_note') }
    expect(decisionsOf(await service.evaluations({ ...common, evaluations: others }))).toEqual([false, true, false])
  })

  it('what it has to have is taken from the common one', async () => {
    const common = { subject: ann, action: { name: 'can_use' }, resource: { type: 'tool' } }
    const each = [{ resource: { id: 'notes/write_note' } }, { resource: { type: 'prompt', id: 'notes/write_note' } }]
    expect(decisionsOf(await service.evaluations({ ...common, evaluations: each }))).toEqual([true, true])
    // Properties of the common one are not mixed into another.
    const unread = {
      ...common,
      subject: { ...ann, properties: { issuer: 7 } },
      evaluations: [{ subject: { id: ann.id } }],
    }
    const answer = await service.evaluations({ ...unread, resource: tool('read_note') })
    expect(decisionsOf(answer)).toEqual([true])
  })

  it('a bad one fails alone', async () => {
    const { subject, action } = can(ann, '')
    const answer = await service.evaluations({
      subject,
      action,
      evaluations: [
        { resource: tool('read_note') },
        {},
        'x',
        { resource: { type: 'tool' } },
        { resource: tool('read_note') },
      ],
    })
    expect(decisionsOf(answer)).toEqual([true, false, false, false, true])
    expect(answer.body.evaluations[1].context.error).toEqual({
      status: 400,
      message: expect.stringContaining('resource'),
    })
  })

  it('without evaluations it is a single one', async () => {
    for (const more of [{}, { evaluations: [] }]) {
      const answer = await service.evaluations(can(ann, 'write_note', more))
      expect([answer.status, answer.body.decision, answer.body.evaluations]).toEqual([200, true, undefined])
    }
  })

  const MIXED = ['read_note', 'delete_note', 'read_note', 'delete_note'].map((name) => ({ resource: tool(name) }))
  it.each([
    ['execute_all', MIXED, [true, false, true, false]],
    ['deny_on_first_deny', MIXED, [true, false]],
    ['deny_on_first_deny', MIXED.slice(0, 1), [true]],
    ['deny_on_first_deny', [{}, ...MIXED], [false]],
    ['permit_on_first_permit', MIXED, [true]],
    ['permit_on_first_permit', MIXED.slice(1), [false, true]],
  ])('%s', async (evaluations_semantic, evaluations, expected) => {
    const { subject, action } = can(ann, '')
    const answer = await service.evaluations({
      subject,
      action,
      evaluations,
      options: { evaluations_semantic, other: 1 },
    })
    expect(decisionsOf(answer)).toEqual(expected)
  })

  it.each(['any', '', 7, null])('another semantic is 400: %j', async (evaluations_semantic) => {
    const { subject, action } = can(ann, '')
    const answer = await service.evaluations({ subject, action, evaluations: MIXED, options: { evaluations_semantic } })
    expect(answer.status).toBe(400)
  })
})

describe('Discovery', () => {
  it('names the decision point and its addresses', async () => {
    const answer = await fetch(`${gateway.url}/.well-known/authzen-configuration`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(await answer.json()).toEqual({
      policy_decision_point: gateway.url,
      access_evaluation_endpoint: `${gateway.url}/access/v1/evaluation`,
      access_evaluations_endpoint: `${gateway.url}/access/v1/evaluations`,
    })
  })

  it('leads whoever has no token to one', async () => {
    const refused = await decisionsAs(gateway, {}).evaluation(can(ann, 'read_note'))
    expect(refused.status).toBe(401)
    const challenge = refused.headers.get('www-authenticate') ?? ''
    const [, address = ''] = /resource_metadata="([^"]+)"/.exec(challenge) ?? []
    const document = await (await fetch(address)).json()
    expect(document).toMatchObject({ resource: `${gateway.url}${PATH}`, scopes_supported: ['portcullis:decide'] })
  })
})

describe('who may ask', () => {
  const ask = async (credential: Record<string, string>) =>
    (await decisionsAs(gateway, credential).evaluation(can(ann, 'read_note'))).status

  it('a service, with its key in either field', async () => {
    expect(await ask(bearer(secret))).toBe(200)
    expect(await ask({ 'x-api-key': secret })).toBe(200)
  })

  it('an administrator, with an access token for it', async () => {
    expect(await ask(bearer(await decisionToken(gateway, createPerson(ROOT))))).toBe(200)
  })

  it('nobody else', async () => {
    const api = await adminApiOf(gateway, createPerson(ROOT), 'portcullis:admin')
    const unscoped = await api.token({ name: 'all', kind: 'service', owner: 'ingress' })
    const narrow = await api.token({ name: 'tools', kind: 'service', owner: 'ingress', scopes: ['mcp:tools'] })
    const own = await adminApiOf(gateway, createPerson(ANN))
    const anns = await own.token({ name: 'mine', scopes: ['portcullis:decide'] })
    expect(await ask(bearer(unscoped.secret))).toBe(403)
    expect(await ask(bearer(narrow.secret))).toBe(403)
    expect(await ask(bearer(anns.secret))).toBe(403)
    expect(await ask(bearer(await decisionToken(gateway, createPerson(ANN))))).toBe(403)
    expect(await ask(bearer(api.accessToken))).toBe(401)
    expect(await ask(bearer(await gateway.tokenFor('notes')))).toBe(401)
    expect(await ask(bearer('x'))).toBe(401)
    expect(await ask({})).toBe(401)
  })

  it('and such a token opens nothing else', async () => {
    const list = await fetch(`${gateway.url}/api/v1/tokens`, { headers: bearer(secret) })
    expect(list.status).toBe(403)
    const call = await fetch(`${gateway.url}/servers/notes/mcp`, {
      method: 'POST',
      headers: { ...bearer(secret), 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'read_note' } }),
    })
    expect(call.status).toBe(403)
    expect(call.headers.get('www-authenticate')).toContain('insufficient_scope')
  })

  it('a token that reaches less gets answers about less', async () => {
    const api = await adminApiOf(gateway, createPerson(ROOT), 'portcullis:admin')
    const { secret: narrow } = await api.token({
      name: 'narrow',
      kind: 'service',
      owner: 'ingress',
      scopes: ['portcullis:decide'],
      reach: ['notes/read_*'],
    })
    const own = decisionsAs(gateway, bearer(narrow))
    expect(decisionOf(await own.evaluation(can(ann, 'read_note')))).toBe(true)
    const outside = await own.evaluation(can(ann, 'write_note'))
    expect([outside.body.decision, outside.body.context.reason]).toEqual([false, 'outside_token'])
  })
})

describe('what is asked about', () => {
  const ask = async (resource: object, name: string, subject: object = ann) => {
    const { status, body } = await service.evaluation({ subject, action: { name }, resource })
    return status === 200 ? `${body.decision} ${body.context.reason}` : status
  }
  it.each([
    [
      'tool',
      'notes/write_note',
      ['tools/call', 'call', 'use', 'invoke', 'execute', 'can_call', 'can_use', 'can_invoke', 'can_execute'],
    ],
    ['prompt', 'notes/summary', ['prompts/get', 'get', 'read', 'use', 'can_get', 'can_read', 'can_use']],
    [
      'resource',
      'notes/file:///public/a/b.txt',
      ['resources/read', 'read', 'get', 'can_read', 'can_get', 'resources/subscribe', 'subscribe'],
    ],
    ['server', 'notes', ['access', 'connect', 'use', 'can_access', 'can_connect', 'can_use']],
    ['server', 'app.example.com', ['access']],
    ['tool', 'app.example.com/any_tool', ['call']],
  ])('%s %s: %j', async (type, id, actions) => {
    for (const action of actions)
      expect([action, await ask({ type, id }, action)]).toEqual([action, expect.stringMatching(/^true /)])
  })

  it.each([
    ['a type that there is not', { type: 'record', id: 'record-1' }, 'read', 'false unknown_resource_type'],
    ['an action that there is not', tool('read_note'), 'delete', 'false unknown_action'],
    ['an action of an object’s own', tool('read_note'), 'constructor', 'false unknown_action'],
    ['a tool of no server', { type: 'tool', id: 'read_note' }, 'call', 'false unknown_resource'],
    ['a tool without a name', { type: 'tool', id: 'notes/' }, 'call', 'false unknown_resource'],
    ['a server that there is not', { type: 'tool', id: 'nothing/read_note' }, 'call', 'false unknown_resource'],
    ['a host that nothing protects', { type: 'server', id: 'evil.example' }, 'access', 'false unknown_resource'],
    ['a server without a rule', { type: 'server', id: 'hidden' }, 'access', 'false no_rule_allows'],
    ['a tool of it', { type: 'tool', id: 'hidden/x' }, 'call', 'false no_rule_allows'],
    ['a resource elsewhere', { type: 'resource', id: 'notes/file:///private/a' }, 'read', 'false no_rule_allows'],
  ])('%s: %s', async (_what, resource, action, expected) => {
    expect(await ask(resource, action, bob)).toBe(expected)
  })
})

describe('whom it is about', () => {
  const ask = async (subject: object, name = 'write_note') => {
    const { status, body } = await service.evaluation(can(subject, name))
    return status === 200 ? `${body.decision} ${body.context.reason}` : status
  }

  it('an account, by id, verified address or local name', async () => {
    const { users } = gateway.store.durable
    const id = (await users.findByIdentity('local', 'ann'))?.id ?? ''
    for (const type of ['user', 'identity'])
      for (const name of [id, 'ann@example.com', 'ANN@Example.COM', 'ann'])
        expect([name, await ask({ type, id: name })]).toEqual([name, 'true allowed_by_rule'])
    expect(await ask({ type: 'user', id: 'ann', properties: { issuer: 'local' } })).toBe('true allowed_by_rule')
  })

  it('as we know it, whatever the service says of it', async () => {
    const properties = { email: 'ann@example.com', groups: ['partners'], roles: ['admin'], teams: ['x'] }
    expect(await ask({ ...bob, properties })).toBe('false no_rule_allows')
    expect(await ask({ ...bob, properties }, 'list_notes')).toBe('false no_rule_allows')
  })

  it('one that an issuer of ours knows and we do not yet, as the service says', async () => {
    const person = {
      type: 'user',
      id: 'sub-1',
      properties: { issuer: PARTNER, email: 'pat@partner.example', groups: ['partners'] },
    }
    expect(await ask(person, 'list_notes')).toBe('true allowed_by_rule')
    expect(await ask(person)).toBe('false no_rule_allows')
    const elsewhere = { ...person, properties: { ...person.properties, email: 'pat@elsewhere.example' } }
    expect(await ask(elsewhere, 'list_notes')).toBe('false not_admitted')
    const unlisted = { ...person, properties: { ...person.properties, issuer: 'https://evil.example' } }
    expect(await ask(unlisted, 'list_notes')).toBe('false unknown_issuer')
  })

  it('through the client that acts for them', async () => {
    expect(await ask({ ...bob, properties: { client: 'robot' } }, 'sync')).toBe('true allowed_by_rule')
    expect(await ask(bob, 'sync')).toBe('false no_rule_allows')
  })

  it.each([
    ['nobody', { type: 'user', id: 'nobody@example.com' }, 'false unknown_subject'],
    ['another type', { type: 'robot', id: 'ann@example.com' }, 'false unknown_subject_type'],
    [
      'groups that are no list',
      { type: 'user', id: 'x', properties: { issuer: PARTNER, groups: 'partners' } },
      'false bad_property',
    ],
    ['an issuer that is a number', { type: 'user', id: 'x', properties: { issuer: 1 } }, 'false bad_property'],
    ['a name that no database takes', { type: 'user', id: 'a\0b' }, 'false unknown_subject'],
    ['a broken character', { type: 'user', id: 'lone \ud800' }, 'false unknown_subject'],
  ])('%s', async (_what, subject, expected) => {
    expect(await ask(subject)).toBe(expected)
  })

  it('a disabled account may nothing, an address of two accounts is nobody’s', async () => {
    const eve = await gateway.addUser({ username: 'eve', password: ANN.password, email: 'eve@example.com' })
    expect(await ask({ type: 'user', id: 'eve@example.com' }, 'read_note')).toBe('true allowed_by_rule')
    await gateway.store.durable.users.setDisabled(eve.id, true, gateway.clock.now())
    gateway.clock.advance('10s')
    expect(await ask({ type: 'user', id: 'eve@example.com' }, 'read_note')).toBe('false account_disabled')
    await gateway.addUser({ username: 'twin', password: ANN.password, email: 'bob@example.com' })
    expect(await ask(bob, 'read_note')).toBe('false unknown_subject')
    expect(await ask({ type: 'user', id: 'bob' }, 'read_note')).toBe('true allowed_by_rule')
  })
})
