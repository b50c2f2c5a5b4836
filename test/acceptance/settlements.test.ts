// The settlements about who gets in and with what, by the row. GitHub, cookies, SQLite and the start have files of their own.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ActEvent, CallEvent } from '../../src/audit/event.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { serve } from '../support/cli.ts'
import { parseTokens, registerClient } from '../support/client.ts'
import { ANN, BOB, type GatewayOptions, startGateway, type TestGateway } from '../support/gateway.ts'
import { legible } from '../support/legible.ts'
import { callTool, listTools } from '../support/mcp.ts'
import { minterOf } from '../support/mint.ts'
import { createPerson } from '../support/person.ts'
import { expectRefusal, expectServed, type Range, type Shot, startRange } from '../support/range.ts'
import { parseSeries } from '../support/scrape.ts'

let canary: Canary
beforeAll(async () => {
  canary = await startCanary()
})
afterAll(() => canary?.close())

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})
async function gate(options: GatewayOptions = {}): Promise<TestGateway> {
  const gateway = await startGateway({ servers: [{ id: 'canary', url: canary.url }], ...options })
  opened.push(gateway)
  return gateway
}

const SCOPES = {
  'mcp:tools': { title: 'Call tools', covers: ['*/*'] },
  'notes:write': { title: 'Write notes', covers: ['canary/write_*'] },
  'other:read': { title: 'Read elsewhere', covers: ['other/*'] },
}
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const challengeOf = async (gateway: TestGateway, token?: string) => {
  const answer = await listTools(gateway.resource('canary'), token)
  const header = answer.headers.get('www-authenticate') ?? ''
  return { status: answer.status, header, scope: /scope="([^"]*)"/.exec(header)?.[1]?.split(' ') ?? [] }
}
const documentOf = async (gateway: TestGateway, id = 'canary') =>
  (await (await fetch(`${gateway.url}/.well-known/oauth-protected-resource/servers/${id}/mcp`)).json()) as {
    scopes_supported: string[]
  }
/** The whole way; answers the scopes of the token, or the error that the client was sent. */
async function scopesFor(gateway: TestGateway, scope: string): Promise<string> {
  const client = await registerClient(gateway)
  const asked = client.authorize({ resource: gateway.resource('canary'), scope })
  const visit = await (await gateway.person()).follow(asked.url)
  const answer = new URL(visit.location ?? 'none:').searchParams
  const code = answer.get('code')
  if (code === null) return String(answer.get('error'))
  return claimsOf(parseTokens(await client.exchange(code, asked.verifier)).accessToken).scope
}

describe('scopes', () => {
  it('of a resource are those whose covers touch it', async () => {
    const gateway = await gate({
      servers: [
        { id: 'canary', url: canary.url },
        { id: 'other', url: canary.url },
      ],
      scopes: SCOPES,
    })
    expect((await documentOf(gateway))['scopes_supported']).toEqual(['mcp:tools', 'notes:write'])
    expect((await documentOf(gateway, 'other'))['scopes_supported']).toEqual(['mcp:tools', 'other:read'])
    expect(await scopesFor(gateway, 'mcp:tools notes:write')).toBe('mcp:tools notes:write')
    expect(await scopesFor(gateway, 'mcp:tools other:read')).toBe('mcp:tools')
    expect(await scopesFor(gateway, 'other:read')).toBe('invalid_scope')
  })

  it('openid, email, profile and offline_access can be asked for beside them', async () => {
    const gateway = await gate()
    const client = await registerClient(gateway)
    const scope = 'openid email profile offline_access mcp:tools'
    const asked = client.authorize({ resource: gateway.resource('canary'), scope })
    const code = await client.codeFrom(await gateway.person(), asked)
    const { body } = await client.exchange(code, asked.verifier)
    expect(claimsOf(String(body['id_token']))).toMatchObject({ iss: gateway.url, aud: client.id })
    expect(typeof body['refresh_token']).toBe('string')
    expect((await callTool(gateway.resource('canary'), String(body['access_token']), 'read_note')).status).toBe(200)
  })

  it('ALLOWED_SCOPES drops the others at authorize', async () => {
    const [closed, open] = [
      await gate({ scopes: SCOPES, oauth: { allowedScopes: ['mcp:tools'] } }),
      await gate({ scopes: SCOPES }),
    ]
    expect(await scopesFor(open, 'mcp:tools notes:write')).toBe('mcp:tools notes:write')
    expect(await scopesFor(closed, 'mcp:tools notes:write')).toBe('mcp:tools')
    expect(await scopesFor(closed, 'notes:write')).toBe('invalid_scope')
    const client = await registerClient(closed)
    const { url } = client.authorize({ resource: closed.resource('canary'), scope: 'mcp:tools notes:write' })
    const page = await (await closed.person()).open(url)
    expect(page.html).toContain('Call tools')
    expect(page.html).not.toContain('Write notes')
  })

  it('ALLOWED_SCOPES as mcpauth writes it, of identity alone, still opens the server', async () => {
    const gateway = await gate({ oauth: { allowedScopes: ['openid', 'email', 'profile'] } })
    const token = await gateway.tokenFor('canary', { scope: 'openid email' })
    expect((await callTool(gateway.resource('canary'), token, 'read_note')).status).toBe(200)
  })

  it('a token request that asks for more than was granted is invalid_scope, and the code stays good', async () => {
    const gateway = await gate({ scopes: SCOPES })
    const client = await registerClient(gateway)
    const asked = client.authorize({ resource: gateway.resource('canary'), scope: 'mcp:tools' })
    const code = await client.codeFrom(await gateway.person(), asked)
    const wider = await client.exchange(code, asked.verifier, { scope: 'mcp:tools notes:write' })
    expect([wider.status, wider.body['error']]).toEqual([400, 'invalid_scope'])
    const tokens = parseTokens(await client.exchange(code, asked.verifier, { scope: 'mcp:tools' }))
    const refreshed = await client.refresh(tokens.refreshToken ?? '', { scope: 'mcp:tools notes:write' })
    expect([refreshed.status, refreshed.body['error']]).toEqual([400, 'invalid_scope'])
    expect((await client.refresh(tokens.refreshToken ?? '')).status).toBe(200)
  })

  it.each([
    ['of the server', ['notes:write']],
    ['of identity, as mcpauth writes them', ['openid', 'email']],
    ['in Google’s spelling', ['https://www.googleapis.com/auth/userinfo.email']],
  ])(
    'REQUIRED_SCOPES %s are advertised, so that who asks for what it was told gets in',
    async (_what, requiredScopes) => {
      const gateway = await gate({ scopes: SCOPES, oauth: { requiredScopes } })
      const { status, scope } = await challengeOf(gateway)
      expect(status).toBe(401)
      const document = await documentOf(gateway)
      expect(document.scopes_supported).toEqual(scope)
      expect(scope.length).toBeGreaterThan(requiredScopes.length)
      const token = await gateway.tokenFor('canary', { scope: scope.join(' ') })
      expect((await callTool(gateway.resource('canary'), token, 'read_note')).status).toBe(200)
    },
  )

  it('REQUIRED_SCOPES missing are 403 insufficient_scope, naming all that is needed', async () => {
    const gateway = await gate({ scopes: SCOPES, oauth: { requiredScopes: ['notes:write'] } })
    const before = canary.requests.length
    const token = await gateway.tokenFor('canary', { scope: 'mcp:tools' })
    const refused = await challengeOf(gateway, token)
    expect([refused.status, canary.requests.length]).toEqual([403, before])
    expect(refused.header).toContain('error="insufficient_scope"')
    expect(refused.scope).toEqual(expect.arrayContaining(['notes:write', 'mcp:tools']))
    const stepped = await gateway.tokenFor('canary', { scope: refused.scope.join(' ') })
    expect((await listTools(gateway.resource('canary'), stepped)).status).toBe(200)
  })

  it('Google’s userinfo aliases count', async () => {
    const gateway = await gate({
      oauth: { allowedScopes: ['openid', 'https://www.googleapis.com/auth/userinfo.email', 'mcp:tools'] },
    })
    const client = await registerClient(gateway)
    const scope = 'openid https://www.googleapis.com/auth/userinfo.email mcp:tools'
    const asked = client.authorize({ resource: gateway.resource('canary'), scope })
    const page = await (await gateway.person()).open(asked.url)
    expect(page.html).toContain('See your e-mail address')
    const code = await client.codeFrom(await gateway.person(), asked)
    expect((await client.exchange(code, asked.verifier)).status).toBe(200)
  })
})

describe('AUTH_REQUIRED and anonymous callers', () => {
  const forAnonymous = { rules: [{ id: 'open', allow: ['canary/read_note'], to: ['anonymous'] }] }
  const forPeople = { rules: [{ allow: ['*/*'], to: ['*'] }] }
  const knock = async (gateway: TestGateway, tool = 'read_note') =>
    callTool(gateway.resource('canary'), undefined, tool)

  it('need auth.anonymous and a rule naming anonymous', async () => {
    const gateway = await gate({ auth: { anonymous: true }, policy: forAnonymous })
    expect((await knock(gateway)).status).toBe(200)
    const events = await gateway.audit((all) => all.some((event) => event.kind === 'call'))
    expect(events.at(-1)).toMatchObject({ subject: 'anonymous', rule: 'open', decision: 'allow' })
    const before = canary.requests.length
    expect((await knock(gateway, 'write_note')).body).not.toHaveProperty('result')
    expect(canary.requests.length).toBe(before)
  })

  it.each<[string, GatewayOptions, number]>([
    ['the rule alone', { policy: forAnonymous }, 401],
    ['the setting alone, whatever `*` is allowed', { auth: { anonymous: true }, policy: forPeople }, 404],
  ])('%s is not enough', async (_what, options, status) => {
    const gateway = await gate(options)
    const before = canary.requests.length
    expect([(await knock(gateway)).status, canary.requests.length]).toEqual([status, before])
    const named = await gate({ ...options, auth: { anonymous: true }, policy: forAnonymous })
    expect((await knock(named)).status).toBe(200)
  })

  it('a bad bearer never falls through to anonymous', async () => {
    const gateway = await gate({ auth: { anonymous: true }, policy: forAnonymous })
    const token = await gateway.tokenFor('canary')
    gateway.clock.advance('11m')
    for (const bad of ['rubbish', token, `${token}x`])
      expect((await callTool(gateway.resource('canary'), bad, 'read_note')).status).toBe(401)
    expect((await knock(gateway)).status).toBe(200)
  })

  it('AUTH_REQUIRED=false is about the console, and opens no server', async () => {
    const served = await serve({ servers: [{ id: 'canary', url: canary.url }], policy: forAnonymous }, [], {
      AUTH_REQUIRED: 'false',
    })
    opened.push(served)
    expect(served.said).toMatch(/AUTH_REQUIRED=false concerns the administration/)
    const answer = await callTool(`${served.url}/servers/canary/mcp`, undefined, 'read_note')
    expect([answer.status, answer.body]).toEqual([401, { error: 'Unauthorized', message: 'Authentication required.' }])
  })

  it('a header that names somebody is nobody: 401, and no word of it upstream', async () => {
    const gateway = await gate()
    for (const name of ['x-authenticated-user', 'x-forwarded-user', 'x-auth-request-email']) {
      const answer = await fetch(gateway.resource('canary'), { method: 'POST', headers: { [name]: 'ann@example.com' } })
      expect([name, answer.status]).toEqual([name, 401])
    }
  })
})

describe('two credentials of one caller', () => {
  let range: Range
  beforeAll(async () => {
    range = await startRange()
  })
  afterAll(() => range?.close())
  const path = '/servers/canary/mcp'

  it.each<[string, (token: string) => Shot]>([
    ['two Authorization headers', (token) => ({ bend: { Authorization: [`Bearer ${token}`, `Bearer ${token}`] } })],
    ['a header and the query', (token) => ({ target: `${path}?access_token=${token}` })],
    ['a bearer and an API key', () => ({ bend: { 'X-API-Key': 'pc_0123456789' } })],
  ])('are an error: %s', async (_what, shot) => {
    await expectRefusal(range, shot(range.token), { status: 400 })
    await expectServed(range)
  })

  it('identity beside a bearer is none: the bearer decides who it is', async () => {
    await expectServed(range, {
      bend: { 'X-Authenticated-User': 'somebody-else@example.com', 'X-Forwarded-User': 'somebody-else' },
    })
    const sent = range.canary.requests.at(-1)?.rawHeaders ?? []
    expect(legible(sent.join(' '))).not.toContain('somebody-else')
    const isServed = (event: CallEvent | ActEvent) => event.kind === 'call' && event.decision === 'allow'
    const calls = (await range.gateway.audit((all) => all.some(isServed))).filter(isServed)
    expect(new Set(calls.map(({ email }) => email))).toEqual(new Set(['ann@example.com']))
  })

  it.each<[string, (token: string) => Shot]>([
    ['in the query', (token) => ({ target: `${path}?access_token=${token}`, bend: { Authorization: undefined } })],
    [
      'in a form',
      (token) => ({
        bend: { Authorization: undefined, 'Content-Type': 'application/x-www-form-urlencoded' },
        body: `access_token=${token}`,
      }),
    ],
    [
      'in the message',
      (token) => ({
        bend: { Authorization: undefined },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', access_token: token }),
      }),
    ],
  ])('a bearer %s is no credential', async (_where, shot) => {
    const before = range.canary.requests.length
    const { target = path, bend = {}, body } = shot(range.token)
    await expectRefusal(
      range,
      { target, bend, ...(body !== undefined && { body }) },
      { status: target === path ? 401 : 400 },
    )
    expect(range.canary.requests.length).toBe(before)
    await expectServed(range)
  })

  it('OAUTH_BEARER_METHODS_SUPPORTED that names them is warned of, and changes nothing', async () => {
    const env = { OAUTH_BEARER_METHODS_SUPPORTED: 'header, query' }
    const served = await serve({ servers: [{ id: 'canary', url: canary.url }] }, [ANN], env)
    opened.push(served)
    expect(served.said).toMatch(/OAUTH_BEARER_METHODS_SUPPORTED names query.*Documents name the header alone/)
    const document = await (await fetch(`${served.url}/.well-known/oauth-protected-resource`)).json()
    expect(document).toMatchObject({ bearer_methods_supported: ['header'] })
    const refused = await fetch(`${served.url}${path}?access_token=x`, { method: 'POST' })
    expect(refused.status).toBe(400)
  })

  it('X-Upstream-Authorization goes nowhere', async () => {
    await expectServed(range, { bend: { 'X-Upstream-Authorization': 'Bearer of-somebody' } })
    expect(range.canary.requests.at(-1)?.rawHeaders.join(' ')).not.toMatch(/of-somebody|authorization/i)
  })
})

describe('ALLOWED_EMAILS', () => {
  const moveTo = async (gateway: TestGateway, email: string) => {
    await gateway.addUser({ ...ANN, email })
    // What is known of a person is asked for again after five seconds.
    gateway.clock.advance('6s')
  }

  it('hold at sign-in', async () => {
    const gateway = await gate({ identity: { allowedEmails: ['*@example.com'] } })
    const client = await registerClient(gateway)
    const { url } = client.authorize({ resource: gateway.resource('canary') })
    await gateway.addUser({ ...BOB, email: 'bob@elsewhere.example' })
    const refused = await createPerson(BOB).follow(url)
    expect([refused.status, refused.location]).toEqual([403, undefined])
    await gateway.addUser({ ...BOB, email: 'Bob@Example.com' })
    const admitted = await createPerson(BOB).follow(url)
    expect(new URL(admitted.location ?? '').searchParams.has('code')).toBe(true)
  })

  it('hold at every use: at the server, and at the token endpoint', async () => {
    const gateway = await gate({ identity: { allowedEmails: ['*@example.com'] } })
    const client = await registerClient(gateway)
    const tokens = await client.signIn(await gateway.person(), { resource: gateway.resource('canary') })
    const call = async () => callTool(gateway.resource('canary'), tokens.accessToken, 'read_note')
    expect((await call()).status).toBe(200)

    await moveTo(gateway, 'ann@elsewhere.example')
    const before = canary.requests.length
    const refused = await call()
    expect([refused.status, refused.body['error'], canary.requests.length]).toEqual([403, 'Forbidden', before])
    const renewed = await client.refresh(tokens.refreshToken ?? '')
    expect([renewed.status, renewed.body['error']]).toEqual([400, 'invalid_grant'])

    await moveTo(gateway, 'ann@example.com')
    expect((await call()).status).toBe(200)
    expect((await client.refresh(tokens.refreshToken ?? '')).status).toBe(200)
  })
})

describe('lives', () => {
  it('an access token is good for 10 minutes, and says so', async () => {
    const gateway = await gate()
    const client = await registerClient(gateway)
    const asked = client.authorize({ resource: gateway.resource('canary'), scope: 'mcp:tools' })
    const { body } = await client.exchange(await client.codeFrom(await gateway.person(), asked), asked.verifier)
    const token = String(body['access_token'])
    const { iat, exp } = claimsOf(token)
    expect([body['expires_in'], exp - iat]).toEqual([600, 600])
    gateway.clock.advance('590s')
    expect((await listTools(gateway.resource('canary'), token)).status).toBe(200)
    gateway.clock.advance('11s')
    expect(await challengeOf(gateway, token)).toMatchObject({
      status: 401,
      header: expect.stringContaining('error="invalid_token"'),
    })
  })
})

describe('the user label of mcp_authenticated_requests_total', () => {
  const usersOf = async (gateway: TestGateway) =>
    parseSeries(await gateway.metrics()).filter(({ name }) => name === 'mcp_authenticated_requests_total')

  it.each([
    ['is on', {}, /^ann@example\.com$/],
    ['can be hashed', { metrics: { users: 'hashed' as const } }, /^[0-9a-f]{16}$/],
  ])('%s', async (_what, options, label) => {
    const gateway = await gate(options)
    const token = await gateway.tokenFor('canary')
    for (let call = 0; call < 2; call++) await listTools(gateway.resource('canary'), token)
    const series = await usersOf(gateway)
    expect(series.map(({ value }) => value)).toEqual([2])
    expect(series[0]?.labels['user']).toMatch(label)
  })

  it('can be off', async () => {
    const gateway = await gate({ metrics: { users: 'off' } })
    await listTools(gateway.resource('canary'), await gateway.tokenFor('canary'))
    expect(await usersOf(gateway)).toEqual([])
    expect(await gateway.metrics()).not.toContain('ann@')
  })

  it('is capped at 1,000 values, then other', async () => {
    const gateway = await gate()
    const mint = await minterOf(gateway, 'canary')
    const ann = await gateway.addUser(ANN)
    for (let number = 0; number < 1005; number++) {
      const email = `person-${number}@example.com`
      const person = { ...ann, id: `person-${number}`, identity: `person-${number}`, email }
      await gateway.store.durable.users.upsertByIdentity(person)
      const answer = await fetch(gateway.resource('canary'), {
        method: 'PUT',
        headers: { authorization: `Bearer ${await mint(person.id)}` },
      })
      await answer.body?.cancel()
    }
    const series = await usersOf(gateway)
    expect(series).toHaveLength(1001)
    expect(series.find(({ labels }) => labels['user'] === 'other')?.value).toBe(5)
    expect(series.find(({ labels }) => labels['user'] === 'person-0@example.com')?.value).toBe(1)
  })
})
