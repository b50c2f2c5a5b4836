// Acceptance case 26: a server behind the gate is told who calls, in its own words, provably, and by nobody else.
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeHeaderValue } from '../../src/protocol/header-value.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, request } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'
import { createSdkHost } from '../support/sdk.ts'
import { fieldsOf, lastCall, metaOf, tellingServer } from '../support/told.ts'

const KEY = 'io.portcullis/identity'

let canary: Canary
let gateway: TestGateway
let token: string
let subject: string

beforeAll(async () => {
  canary = await startCanary()
  const { url } = canary
  gateway = await startGateway({
    servers: [
      { id: 'notes', url },
      { id: 'elsewhere', url: `${url}/other` },
      { id: 'strangers', url, identity: { headers: false, jwt: false } },
      { id: 'few', url, identity: { attributes: ['email', 'groups'], headerPrefix: 'X-Caller' } },
      { id: 'message', url, identity: { headers: false, jwt: true, meta: true } },
      { id: 'forge', url, identity: { form: 'contextforge', meta: true } },
      { id: 'key', url, identity: { form: 'portkey' } },
      tellingServer('child'),
      { ...tellingServer('signed-child'), identity: { jwt: true } },
      { ...tellingServer('silent-child'), identity: { meta: false } },
    ],
    oauth: { accessTokenTtl: '2h' },
  })
  const { id } = await gateway.addUser({ ...ANN, roles: ['editor'], teams: ['blue'] })
  subject = id
  token = await gateway.tokenFor('*', { user: createPerson(ANN) })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const tokens = new Map<string, Promise<string>>()
/** Each server's token is good there alone. */
const tokenFor = (server: string) => {
  const known = tokens.get(server) ?? gateway.tokenFor(server, { user: createPerson(ANN) })
  tokens.set(server, known)
  return known
}
async function told(server: string, headers: Record<string, string> = {}) {
  const { status } = await callTool(gateway.resource(server), await tokenFor(server), 'read_note', {}, headers)
  expect(status).toBe(200)
  return lastCall(canary)
}

describe('without a word in the configuration', () => {
  it('a server of this machine gets the headers, and those that are empty are left out', async () => {
    const fields = fieldsOf(await told('notes'))
    expect(fields).toMatchObject({
      'x-forwarded-user': 'ann@example.com',
      'x-forwarded-user-id': subject,
      'x-forwarded-email': 'ann@example.com',
      'x-forwarded-name': 'ann',
      'x-forwarded-groups': 'engineering',
      'x-forwarded-teams': 'blue',
      'x-forwarded-scopes': expect.stringContaining('mcp:tools'),
      'x-forwarded-auth-method': 'access_token',
      'x-forwarded-client': expect.any(String),
      'x-request-id': expect.any(String),
    })
    expect(fields).not.toHaveProperty('x-forwarded-org')
    expect(Object.keys(metaOf(lastCall(canary))).every((key) => key.startsWith('io.modelcontextprotocol/'))).toBe(true)
  })

  it('and an assertion that it can check at our keys: for it alone, and for a minute', async () => {
    const assertion = fieldsOf(await told('notes'))['x-portcullis-assertion'] ?? ''
    const keys = createRemoteJWKSet(new URL(`${gateway.url}/.well-known/jwks.json`))
    const expected = { issuer: gateway.url, audience: canary.url, typ: 'portcullis-assertion+jwt' }
    const { payload, protectedHeader } = await jwtVerify(assertion, keys, expected)
    expect(protectedHeader.alg).toBe('ES256')
    expect(payload).toMatchObject({ sub: subject, email: 'ann@example.com', groups: ['engineering'], teams: ['blue'] })
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60)
    await expect(jwtVerify(assertion, keys, { ...expected, audience: `${canary.url}/other` })).rejects.toThrow(/aud/)
    expect(decodeJwt(fieldsOf(await told('elsewhere'))['x-portcullis-assertion'] ?? '').aud).toBe(`${canary.url}/other`)
  })

  it('the same assertion comes again for half its life, and then another', async () => {
    const first = fieldsOf(await told('notes'))['x-portcullis-assertion']
    expect(fieldsOf(await told('notes'))['x-portcullis-assertion']).toBe(first)
    gateway.clock.advance('31s')
    expect(fieldsOf(await told('notes'))['x-portcullis-assertion']).not.toBe(first)
  })

  it('a child process is told in the message', async () => {
    expect(await childTold('child')).toEqual({
      [KEY]: {
        user: 'ann@example.com',
        id: subject,
        email: 'ann@example.com',
        name: 'ann',
        groups: ['engineering'],
        roles: ['editor'],
        teams: ['blue'],
        scopes: expect.arrayContaining(['mcp:tools']),
        method: 'access_token',
        client: expect.any(String),
      },
    })
  })
})

/** With what a client forged. */
async function childTold(server: string, meta: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  const person = createPerson(ANN)
  const client = await createSdkHost(person).connect(gateway.resource(server), 'legacy')
  try {
    const { content } = await client.callTool({ name: 'tell', arguments: {}, _meta: meta })
    return JSON.parse((content as { text: string }[])[0]?.text ?? 'null') ?? {}
  } finally {
    await client.close()
  }
}

describe('as it is configured', () => {
  it('a server that is told nothing gets nothing', async () => {
    const names = Object.keys(fieldsOf(await told('strangers')))
    expect(names.filter((name) => /forwarded|portcullis|user/.test(name) && name !== 'user-agent')).toEqual([])
  })

  it('some attributes, under another prefix, and no more of them in the assertion', async () => {
    const fields = fieldsOf(await told('few'))
    expect(fields).toMatchObject({ 'x-caller-email': 'ann@example.com', 'x-caller-groups': 'engineering' })
    expect(Object.keys(fields).filter((name) => /^x-(?:forwarded|caller)-/.test(name))).toHaveLength(2)
    const claims = decodeJwt(fields['x-portcullis-assertion'] ?? '')
    expect(claims).toMatchObject({ sub: subject, email: 'ann@example.com', groups: ['engineering'] })
    for (const left of ['name', 'roles', 'teams', 'scope', 'client_id', 'auth_method'])
      expect(claims).not.toHaveProperty(left)
  })

  it('in the message over HTTP: the rest of it byte for byte', async () => {
    const { body } = await told('message')
    const { [KEY]: identity, ...rest } = metaOf({ body })
    expect(identity).toMatchObject({ user: 'ann@example.com', assertion: expect.any(String) })
    expect(Object.keys(rest).every((key) => key.startsWith('io.modelcontextprotocol/'))).toBe(true)
    const text = body.toString()
    const inserted = JSON.stringify({ [KEY]: identity }).slice(1, -1)
    expect(text).toContain(`"_meta":{${inserted},`)
    const written = text.replace(`${inserted},`, '')
    expect(written).toBe(JSON.stringify(JSON.parse(written)))
    expect(fieldsOf(lastCall(canary))).not.toHaveProperty('x-forwarded-user')
    expect(fieldsOf(lastCall(canary))['x-portcullis-assertion']).toBe((identity as { assertion: string }).assertion)
  })

  it('in ContextForge’s form', async () => {
    const call = await told('forge')
    expect(fieldsOf(call)).toMatchObject({
      'x-forwarded-user-id': subject,
      'x-forwarded-user-email': 'ann@example.com',
      'x-forwarded-user-groups': 'engineering',
      'x-forwarded-user-teams': 'blue',
      'x-forwarded-user-roles': 'editor',
      'x-forwarded-user-auth-method': 'bearer',
    })
    expect(metaOf(call)['user']).toEqual({
      id: subject,
      email: 'ann@example.com',
      groups: ['engineering'],
      teams: ['blue'],
      roles: ['editor'],
      auth_method: 'bearer',
    })
  })

  it('in Portkey’s form', async () => {
    const fields = fieldsOf(await told('key'))
    expect(fields).toMatchObject({
      'x-portkey-user': 'ann@example.com',
      'x-portkey-team': 'blue',
      'x-portkey-roles': 'editor',
    })
    expect(JSON.parse(fields['x-user-claims'] ?? '')).toMatchObject({
      sub: subject,
      user_id: subject,
      username: 'ann@example.com',
      email: 'ann@example.com',
      scope: expect.stringContaining('mcp:tools'),
    })
    const keys = createRemoteJWKSet(new URL(`${gateway.url}/.well-known/jwks.json`))
    await jwtVerify(fields['x-user-jwt'] ?? '', keys, { audience: canary.url })
    expect(fields).not.toHaveProperty('x-forwarded-user')
  })

  it('a child process: with an assertion, or not at all', async () => {
    const { [KEY]: identity } = await childTold('signed-child')
    expect(decodeJwt((identity as { assertion: string }).assertion)).toMatchObject({
      aud: 'signed-child',
      sub: subject,
    })
    expect(await childTold('silent-child')).toEqual({})
  })
})

describe('a person with a hostile name', () => {
  it.each([
    ['line breaks', 'Ann\r\nX-Forwarded-User: root'],
    ['letters beyond ASCII', 'Jörg 🦊'],
    ['\\x85 and \\xa0', '\u0085admin\u00a0'],
    ['NUL', 'a\0b'],
  ])('%s: one field, which says it all', async (what, name) => {
    const user = { username: `user-${what.length}-${name.length}`, password: 'nine purple kettles in a row' }
    const record = await gateway.addUser({ ...user, groups: ['a,b', 'c\r\nd'] })
    await gateway.store.durable.users.upsertByIdentity({ ...record, name })
    const own = await gateway.tokenFor('notes', { user: createPerson(user) })
    expect((await callTool(gateway.resource('notes'), own, 'read_note')).status).toBe(200)
    const fields = fieldsOf(lastCall(canary))
    expect(decodeHeaderValue(fields['x-forwarded-name'] ?? '')).toBe(name)
    expect(fields['x-forwarded-user']).toBe(`${user.username}@example.com`)
    expect((fields['x-forwarded-groups'] ?? '').split(',').map(decodeHeaderValue)).toEqual(['a,b', 'c\r\nd'])
  })

  it('with more groups than a head may hold: none is sent, and the log says so', async () => {
    const groups = Array.from({ length: 1000 }, (_, at) => `a-rather-long-group-${at}`)
    const own = await gateway.tokenFor('notes', { user: { ...BOB, groups } })
    expect((await callTool(gateway.resource('notes'), own, 'read_note')).status).toBe(200)
    const fields = fieldsOf(lastCall(canary))
    expect(fields).not.toHaveProperty('x-forwarded-groups')
    expect(fields['x-forwarded-user']).toBe('bob@example.com')
    expect(decodeJwt(fields['x-portcullis-assertion'] ?? '')).toMatchObject({ lists_omitted: true })
    expect(gateway.log.some((line) => line.includes('too long for a header field'))).toBe(true)
  })
})

describe('at /mcp', () => {
  const all = (name: string, meta: Record<string, unknown> = {}) =>
    request(`${gateway.url}/mcp`, token, 'tools/call', { name, arguments: {}, ...meta }, { 'mcp-name': name })

  it('each server is told as at its own address', async () => {
    const answered = await all('notes__read_note')
    expect(answered.status).toBe(200)
    expect(fieldsOf(lastCall(canary))).toMatchObject({ 'x-forwarded-user': 'ann@example.com' })
    expect((await all('message__read_note')).status).toBe(200)
    expect(metaOf(lastCall(canary))[KEY]).toMatchObject({ user: 'ann@example.com' })
  })

  it('and so is a child process', async () => {
    const { body } = await all('child__tell')
    const { content } = body['result'] as { content: { text: string }[] }
    expect(JSON.parse(content[0]?.text ?? '')[KEY]).toMatchObject({ user: 'ann@example.com', groups: ['engineering'] })
  })
})
