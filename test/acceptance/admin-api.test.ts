// The administration's door: who may, how they prove it, what it answers to what it does not take.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StoreUnavailable } from '../../src/protocol/errors.ts'
import { type ApiAnswer, adminApi, adminApiOf, basic, bearer } from '../support/admin-api.ts'
import { registerClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { addUser } from '../support/people.ts'
import { createPerson } from '../support/person.ts'
import { freePort } from '../support/upstream.ts'

const ROOT = { username: 'root', password: 'eleven quiet owls in a barn', administrator: true }
const PASSWORD = 'twelve brave ducks by a pond'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startGateway({
    servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }],
    admin: { user: 'admin', password: PASSWORD },
  })
  await addUser(gateway.store, ROOT)
})
afterAll(() => gateway?.close())

const root = () => createPerson(ROOT)
const ids = ({ body }: ApiAnswer): string[] => body.tokens.map((one: { id: string }) => one.id)

describe('a person', () => {
  it('sees and changes their own tokens, and nobody else’s', async () => {
    const ann = await adminApiOf(gateway, await gateway.person())
    const bob = await adminApiOf(gateway, await gateway.person('bob'))
    const mine = await ann.token({ name: 'mine' })
    const theirs = await bob.token({ name: 'theirs' })
    expect(ids(await ann.send('GET', '/tokens'))).toEqual([mine.id])
    expect((await ann.send('PATCH', `/tokens/${mine.id}`, { description: 'nightly' })).body.description).toBe('nightly')
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', ''],
      ['DELETE', ''],
      ['POST', '/rotate'],
    ] as const) {
      const body = method === 'PATCH' ? { name: 'taken' } : undefined
      const answer = await ann.send(method, `/tokens/${theirs.id}${path}`, body)
      expect([method, answer.status]).toEqual([method, 404])
      // Another's is answered as one that is not there.
      expect((await ann.send(method, `/tokens/tok_nothing${path}`, body)).body).toEqual(answer.body)
    }
    expect(ids(await bob.send('GET', '/tokens'))).toEqual([theirs.id])
  })

  it('gives no token to others, and makes no service', async () => {
    const ann = await adminApiOf(gateway, await gateway.person())
    const bob = (await gateway.store.durable.users.findByIdentity('local', 'bob'))?.id
    expect((await ann.send('POST', '/tokens', { name: 'x', owner: bob })).status).toBe(403)
    expect((await ann.send('POST', '/tokens', { name: 'x', kind: 'service', owner: 'ci' })).status).toBe(403)
    expect((await ann.send('POST', '/tokens', { name: 'x', team: 'board' })).status).toBe(403)
  })

  it('is told who they are', async () => {
    const ann = await adminApiOf(gateway, await gateway.person())
    expect((await ann.send('GET', '/me')).body).toMatchObject({
      administrator: false,
      method: 'access_token',
      email: 'ann@example.com',
      groups: ['engineering'],
      scopes: ['portcullis:tokens'],
    })
  })
})

describe('an administrator', () => {
  it('sees everybody’s tokens, makes services, and revokes what leaked', async () => {
    const api = await adminApiOf(gateway, root(), 'portcullis:admin portcullis:tokens')
    const ann = await adminApiOf(gateway, await gateway.person())
    const { id } = await ann.token({ name: 'leaked' })
    const { token } = await api.token({ name: 'deploy', kind: 'service', owner: 'ci', team: 'gate' })
    expect(token).toMatchObject({ owner: 'service:ci', kind: 'service', team: 'gate' })
    expect(ids(await api.send('GET', '/tokens'))).toEqual(expect.arrayContaining([id, token.id]))
    expect(ids(await api.send('GET', '/tokens?owner=service:ci'))).toEqual([token.id])
    const typed = { 'content-type': 'application/json' }
    expect((await api.send('DELETE', `/tokens/${id}`, '', typed)).status).toBe(204)
    expect((await api.send('POST', '/tokens', '', typed)).status).toBe(400)
    expect((await api.send('DELETE', `/tokens/${id}`)).status).toBe(204)
    const rootId = (await api.send('GET', '/me')).body.id
    const revoked = (await gateway.audit()).find((event) => event.family === id && event.reason === 'by_administrator')
    expect(revoked).toMatchObject({ kind: 'act', act: 'token_revoked', by: rootId, name: 'leaked' })
  })

  it('is one only where the token says so, too', async () => {
    const api = await adminApiOf(gateway, root(), 'portcullis:tokens')
    expect((await api.send('GET', '/me')).body.administrator).toBe(false)
    expect((await api.send('POST', '/tokens', { name: 'x', kind: 'service', owner: 'ci' })).status).toBe(403)
  })

  it('is nobody by a scope alone', async () => {
    const api = await adminApiOf(gateway, await gateway.person(), 'portcullis:admin')
    expect((await api.send('GET', '/me')).body.administrator).toBe(false)
    expect(ids(await api.send('GET', '/tokens?all=true&limit=200')).length).toBeGreaterThan(0)
    const owners = (await api.send('GET', '/tokens?all=true')).body.tokens.map((one: { owner: string }) => one.owner)
    expect(new Set(owners).size).toBe(1)
  })

  it('of the configuration comes with name and password', async () => {
    const api = adminApi(gateway, basic('admin', PASSWORD))
    expect((await api.send('GET', '/me')).body).toMatchObject({ id: 'administrator:admin', administrator: true })
    const ann = (await gateway.store.durable.users.findByIdentity('local', 'ann'))?.id
    const { token } = await api.token({ name: 'for ann', owner: ann })
    expect(token).toMatchObject({ owner: ann, created_by: 'administrator:admin' })
    expect((await api.send('POST', '/tokens', { name: 'for nobody' })).status).toBe(400)
    expect((await adminApi(gateway, basic('admin', 'wrong')).send('GET', '/me')).status).toBe(401)
  })
})

describe('the door', () => {
  it('refuses nothing that cannot be recorded', async () => {
    const ask = () => adminApi(gateway, bearer('pc_guess')).send('GET', '/me')
    const { records } = gateway.store
    const append = records.append.bind(records)
    Object.assign(records, { append: () => Promise.reject(new StoreUnavailable('The disk is full.')) })
    const withheld = await ask()
    Object.assign(records, { append })
    expect([withheld.status, withheld.headers.get('retry-after')]).toEqual([503, '5'])
    const refused = await ask()
    expect(refused.status).toBe(401)
    const id = refused.headers.get('x-request-id')
    const events = await gateway.audit((all) => all.some((event) => event.id === id))
    expect(events.find((event) => event.id === id)).toMatchObject({ act: 'admin_refused', decision: 'deny' })
    expect(events.map((event) => event.id)).not.toContain(withheld.headers.get('x-request-id'))
  })

  it('says how to come in, and is a resource like the others', async () => {
    const answer = await adminApi(gateway).send('GET', '/tokens')
    const metadata = `${gateway.url}/.well-known/oauth-protected-resource/api/v1`
    expect(answer.status).toBe(401)
    expect(answer.body).toEqual({ error: 'Unauthorized', message: 'Authentication required.' })
    const challenge = answer.headers.get('www-authenticate') ?? ''
    expect(challenge).toContain(`resource_metadata="${metadata}"`)
    expect(challenge).not.toContain('error=')
    const document = (await (await fetch(metadata)).json()) as Record<string, unknown>
    expect(document).toMatchObject({
      resource: `${gateway.url}/api/v1`,
      scopes_supported: ['portcullis:tokens', 'portcullis:admin'],
    })
  })

  it('leaves the only server the one that a request without a resource means', async () => {
    const client = await registerClient(gateway)
    const { accessToken } = await client.signIn(await gateway.person(), { scope: 'mcp:tools' })
    const { aud } = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString())
    expect(aud).toBe(gateway.resource('notes'))
  })

  it.each([
    ['a token for a server', async () => bearer(await gateway.tokenFor('notes')), 401],
    ['a token of nobody', async () => bearer('x.y.z'), 401],
    ['an unknown API token', async () => bearer(`pc_${'0'.repeat(36)}`), 401],
    ['two lines of one', async () => `${bearer('x')},${bearer('y')}`, 401],
    ['another scheme', async () => 'Digest username="x"', 401],
  ])('does not take %s', async (_what, authorization, status) => {
    expect((await adminApi(gateway, await authorization()).send('GET', '/me')).status).toBe(status)
  })

  it('takes no credential from the address, and not two', async () => {
    const { accessToken } = await adminApiOf(gateway, await gateway.person())
    const at = (path: string, headers: Record<string, string> = {}) =>
      adminApi(gateway, headers['authorization']).send('GET', path, undefined, headers)
    expect((await at(`/me?access_token=${accessToken}`)).status).toBe(400)
    expect((await at('/me', { authorization: bearer(accessToken), 'x-api-key': 'pc_x' })).status).toBe(400)
    expect((await at('/me', { authorization: basic('admin', PASSWORD), 'x-api-key': 'pc_x' })).status).toBe(400)
    expect((await at('/me', { authorization: bearer(accessToken) })).status).toBe(200)
  })

  it.each<[string, unknown, RegExp]>([
    ['a name that is missing', {}, /^name: /],
    ['a name of nothing', { name: ' ' }, /^name: /],
    ['a name of a kilobyte', { name: 'x'.repeat(1024) }, /^name: /],
    ['a name with a line feed', { name: 'a\nb' }, /^name: No control characters/],
    ['a field that is not there', { name: 'x', nmae: 'y' }, /nmae/],
    ['a prototype', '{"name":"x","__proto__":{"administrator":true}}', /^__proto__: /],
    ['a target that is none', { name: 'x', reach: ['github'] }, /^reach\.0: Write server\/tool/],
    ['a range that is none', { name: 'x', addresses: ['10.0.0.0/64'] }, /^addresses\.0: Write a range/],
    ['hours that end before they begin', { name: 'x', hours: { from: '18:00', to: '09:00' } }, /^hours: from has/],
    ['a rate that is none', { name: 'x', rate: 'often' }, /^rate: Write a number/],
    ['two ends', { name: 'x', expires_in: '1d', expires_at: '2099-01-01T00:00:00Z' }, /^expires_at: /],
    ['an end too far away', { name: 'x', expires_at: '2099-01-01T00:00:00Z' }, /^expires_in: At most 7d/],
    ['a rotation that says nothing', { name: 'x', rotation: {} }, /^rotation: Write every, or at/],
    ['a scope that opens nothing', { name: 'x', scopes: ['portcullis:admin'] }, /^scopes: /],
    ['no JSON', '{"name":', /not JSON/],
    ['a list', [], /body/],
    ['nothing', '', /./],
  ])('refuses %s with 400, and names the field', async (_what, body, message) => {
    const api = await adminApiOf(gateway, await gateway.person())
    const answer = await api.send('POST', '/tokens', body)
    expect(answer.status).toBe(400)
    expect(answer.body).toEqual({ error: 'Bad Request', message: expect.stringMatching(message) })
  })

  it('refuses other media types, compressed and large bodies, unknown addresses and methods', async () => {
    const { accessToken } = await adminApiOf(gateway, await gateway.person())
    const api = adminApi(gateway, bearer(accessToken))
    const post = (body: string, headers: Record<string, string>) => api.send('POST', '/tokens', body, headers)
    expect((await post('name=x', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415)
    expect((await post('{}', { 'content-encoding': 'gzip' })).status).toBe(415)
    expect((await post(JSON.stringify({ name: 'x'.repeat(70_000) }), {})).status).toBe(413)
    expect((await api.send('GET', '/nothing')).status).toBe(404)
    expect((await api.send('GET', '/tokens/')).status).toBe(404)
    expect((await api.send('GET', '/TOKENS')).status).toBe(404)
    expect((await api.send('GET', '/tokens?limit=1&x=1')).status).toBe(400)
    const put = await api.send('PUT', '/tokens', {})
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'POST, GET'])
    expect((await fetch(`${gateway.url}/api`)).status).toBe(404)
  })

  it('answers no page of another origin, and keeps its answers out of caches', async () => {
    const { accessToken } = await adminApiOf(gateway, await gateway.person())
    const from = (origin: string) =>
      fetch(`${gateway.url}/api/v1/me`, { headers: { origin, authorization: bearer(accessToken) } })
    const foreign = await from('http://localhost:3000')
    expect([foreign.status, foreign.headers.get('access-control-allow-origin')]).toEqual([403, null])
    const own = await from(gateway.url)
    expect([own.status, own.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(own.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    const preflight = await fetch(`${gateway.url}/api/v1/tokens`, {
      method: 'OPTIONS',
      headers: { origin: 'http://localhost:3000', 'access-control-request-method': 'POST' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([403, null])
  })

  it('describes itself: OpenAPI 3.1, from the same schemas', async () => {
    const { status, body } = await adminApi(gateway).send('GET', '/openapi.json')
    expect([status, body.openapi]).toEqual([200, '3.1.0'])
    expect(Object.keys(body.paths).sort()).toEqual([
      '/api/v1/connections',
      '/api/v1/connections/{server}',
      '/api/v1/me',
      '/api/v1/tokens',
      '/api/v1/tokens/{id}',
      '/api/v1/tokens/{id}/rotate',
    ])
    const { schema } = body.paths['/api/v1/tokens'].post.requestBody.content['application/json']
    expect([schema.required, schema.additionalProperties]).toEqual([['name'], false])
    expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(['expires_in', 'reach', 'addresses', 'rate']))
  })
})

describe('settings', () => {
  it('doors.admin: false: nothing is there, and no document speaks of it', async () => {
    const closed = await startGateway({ doors: { admin: false }, admin: { user: 'admin', password: PASSWORD } })
    const statusOf = async (path: string) => (await fetch(closed.url + path)).status
    for (const path of ['/api/v1/me', '/api/v1/openapi.json', '/.well-known/oauth-protected-resource/api/v1'])
      expect([path, await statusOf(path)]).toEqual([path, 404])
    const client = await registerClient(closed)
    const authorization = client.authorize({ resource: `${closed.url}/api/v1`, scope: 'portcullis:tokens' })
    await expect(client.codeFrom(await closed.person(), authorization)).rejects.toThrow(/invalid_target/)
    await closed.close()
  })

  it('admin.required: false: open to this machine, not to whom a proxy brings, and still not to a bad credential', async () => {
    const open = await startGateway({ admin: { required: false } })
    const me = (headers: Record<string, string> = {}) => adminApi(open).send('GET', '/me', undefined, headers)
    expect((await me()).body).toMatchObject({ id: 'local', administrator: true, method: 'none' })
    expect((await me({ 'x-forwarded-for': '203.0.113.9' })).status).toBe(401)
    expect((await me({ via: '1.1 proxy' })).status).toBe(401)
    expect((await me({ authorization: 'Bearer nonsense' })).status).toBe(401)
    expect((await me({ origin: 'http://localhost:3000' })).status).toBe(403)
    await open.close()
  })

  it('admin.required: false: means nothing where others can knock', async () => {
    const port = await freePort()
    const open = await startGateway({ admin: { required: false }, server: { listen: `0.0.0.0:${port}` } })
    const { status } = await adminApi({ url: `http://127.0.0.1:${port}` }).send('GET', '/me')
    expect(status).toBe(401)
    await open.close()
  })

  it('auth.tokens: false closes the MCP doors to API tokens, not the administration to people', async () => {
    const closed = await startGateway({ auth: { tokens: false, anonymous: true }, servers: [] })
    const ann = await adminApiOf(closed, await closed.person())
    expect((await ann.token({ name: 'x' })).secret).toMatch(/^pc_/)
    await closed.close()
  })
})
