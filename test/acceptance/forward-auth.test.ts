// Acceptance cases 11, 12 and 13 at the forward-auth: scopes, e-mail addresses, and what the server behind an ingress is told.
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient } from '../support/client.ts'
import { APP, type ForwardRange, GATE, OTHER, startForwardRange } from '../support/forward-range.ts'
import { ANN } from '../support/gateway.ts'
import { COPIED, valuesOf } from '../support/ingress.ts'
import type { NewUser } from '../support/people.ts'
import { createPerson, type Person } from '../support/person.ts'

interface Document {
  readonly resource: string
  readonly authorization_servers: readonly string[]
  readonly scopes_supported: readonly string[]
}
const documentAt = async (url: string) => (await (await fetch(url)).json()) as Document

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe('case 11, scopes', () => {
  let range: ForwardRange
  beforeAll(async () => {
    range = await startForwardRange({
      oauth: {
        requiredScopes: ['openid', 'https://www.googleapis.com/auth/userinfo.email'],
        allowedScopes: ['openid', 'email', 'mcp:tools', 'app:write'],
      },
      scopes: {
        'mcp:tools': { title: 'Use it', covers: ['*/*'] },
        'app:write': { title: 'Change it', covers: ['nothing/*'] },
      },
      forwardAuth: { resources: [{ host: 'app.example.com' }, { host: 'other.example.com', scopes: ['app:write'] }] },
    })
  })
  afterAll(() => range.close())

  it('a token without a required one is 403 insufficient_scope, which names all that is needed', async () => {
    const token = await range.tokenFor(APP, { scope: 'mcp:tools' })
    const refused = await range.call('/mcp', { headers: bearer(token) })
    expect(refused.status).toBe(403)
    expect(refused.headers['www-authenticate']).toMatch(/^Bearer error="insufficient_scope"/)
    const scopes = /scope="([^"]+)"/.exec(refused.headers['www-authenticate'] ?? '')?.[1]?.split(' ')
    expect(scopes).toEqual(expect.arrayContaining(['openid', 'email', 'mcp:tools']))
    expect(JSON.parse(refused.text)).toMatchObject({ error: 'Forbidden' })
    expect(range.ingress.passed).toEqual([])
    // What the challenge names is what a client asks for next.
    const again = await range.tokenFor(APP, { scope: (scopes ?? []).join(' ') })
    expect((await range.call('/mcp', { headers: bearer(again) })).status).toBe(200)
  })

  it('Google’s long name of a scope is the short one', async () => {
    const token = await range.tokenFor(APP, {
      scope: 'openid https://www.googleapis.com/auth/userinfo.email mcp:tools',
    })
    expect((await range.call('/mcp', { headers: bearer(token) })).status).toBe(200)
    expect(range.ingress.verdicts.at(-1)?.headers['x-forwarded-scopes']?.toString().split(' ')).toEqual(
      expect.arrayContaining(['openid', 'email', 'mcp:tools']),
    )
  })

  it('one that is not allowed is dropped on the way to the token', async () => {
    const token = await range.tokenFor(APP, { scope: 'openid email profile mcp:tools' })
    expect((await range.call('/mcp', { headers: bearer(token) })).status).toBe(200)
    expect(range.ingress.verdicts.at(-1)?.headers['x-forwarded-scopes']).not.toContain('profile')
  })

  it('one that only this host wants is refused without it, advertised, and let in with it', async () => {
    const ask = (token: string) =>
      range.ask([
        ['X-Forwarded-Method', 'GET'],
        ['X-Forwarded-Host', 'other.example.com'],
        ['X-Forwarded-Uri', '/'],
        ['Authorization', `Bearer ${token}`],
      ])
    const refused = await ask(await range.tokenFor(OTHER, { scope: 'openid email mcp:tools' }))
    expect(refused.status).toBe(403)
    expect(refused.headers['www-authenticate']).toMatch(/scope="[^"]*app:write/)
    const document = await documentAt(`${GATE}/.well-known/oauth-protected-resource/auth/other.example.com`)
    expect(document.scopes_supported).toContain('app:write')
    const admitted = await ask(await range.tokenFor(OTHER, { scope: 'openid email mcp:tools app:write' }))
    expect(admitted.status).toBe(200)
  })
})

describe('case 12, e-mail addresses', () => {
  let range: ForwardRange
  beforeAll(async () => {
    range = await startForwardRange({
      forwardAuth: {
        resources: [
          { host: 'app.example.com', allowedEmails: ['*@Example.com', ' guest@other.example '] },
          { host: 'other.example.com' },
        ],
      },
    })
  })
  afterAll(() => range.close())

  async function personWith(user: Partial<NewUser> & { username: string }, verified = true): Promise<Person> {
    const record = await range.gateway.addUser({ password: ANN.password, ...user })
    const { users } = range.gateway.store.durable
    if (!verified || user.email === '')
      await users.upsertByIdentity({ ...record, ...(user.email === '' && { email: undefined }), emailVerified: false })
    return createPerson({ username: user.username, password: ANN.password })
  }

  it.each([
    ['in the domain', { username: 'inside', email: 'inside@example.com' }],
    ['in another case', { username: 'upper', email: 'UPPER@EXAMPLE.COM' }],
    ['listed by name', { username: 'guest', email: 'guest@other.example' }],
  ])('%s: 200', async (_what, user) => {
    const token = await range.tokenFor(APP, { person: await personWith(user) })
    expect((await range.call('/', { headers: bearer(token) })).status).toBe(200)
  })

  it.each([
    ['of another domain', { username: 'outside', email: 'outside@other.example' }, true],
    ['of a domain below', { username: 'below', email: 'below@sub.example.com' }, true],
    ['of a domain that only ends alike', { username: 'alike', email: 'alike@notexample.com' }, true],
    ['that nobody verified', { username: 'claimed', email: 'claimed@example.com' }, false],
    ['that is not there', { username: 'absent', email: '' }, true],
  ])('%s: 403, and the same person is let in elsewhere', async (_what, user, verified) => {
    const person = await personWith(user, verified)
    const token = await range.tokenFor(APP, { person })
    const refused = await range.call('/', { headers: bearer(token) })
    expect(refused.status).toBe(403)
    expect(JSON.parse(refused.text)).toEqual({ error: 'Forbidden', message: 'This account is not admitted here.' })
    await range.gateway.audit((events) =>
      events.some((event) => event.kind === 'call' && event.reason === 'not_admitted'),
    )
    const elsewhere = await fetch(`${OTHER}/`, { headers: bearer(await range.tokenFor(OTHER, { person })) })
    expect(elsewhere.status).toBe(200)
  })
})

describe('case 12, the list of the whole gate', () => {
  it('holds at every use: who is taken off it is out within seconds', async () => {
    const range = await startForwardRange({ identity: { allowedEmails: ['*@example.com'] } })
    const token = await range.tokenFor()
    const ask = () => range.call('/', { headers: bearer(token) })
    expect((await ask()).status).toBe(200)
    const { users } = range.gateway.store.durable
    const ann = await users.findByIdentity('local', 'ann')
    if (ann === undefined) throw new TypeError('no ann')
    await users.upsertByIdentity({ ...ann, email: 'ann@other.example' })
    range.gateway.clock.advance('6s')
    expect((await ask()).status).toBe(403)
    await users.upsertByIdentity(ann)
    range.gateway.clock.advance('6s')
    expect((await ask()).status).toBe(200)
    await range.close()
  })
})

describe('case 13, what the server behind is told', () => {
  let range: ForwardRange
  let token: string
  beforeAll(async () => {
    range = await startForwardRange()
    token = await range.tokenFor()
  })
  afterAll(() => range.close())

  it('X-Forwarded-User and the rest, once each', async () => {
    await range.call('/page', { headers: bearer(token) })
    const [passed] = range.ingress.passed.slice(-1)
    for (const field of COPIED) expect(passed && valuesOf(passed, field)).toHaveLength(1)
    expect(passed && valuesOf(passed, 'X-Forwarded-User')).toEqual(['ann@example.com'])
    expect(passed && valuesOf(passed, 'X-Forwarded-Groups')).toEqual(['engineering'])
    expect(passed && valuesOf(passed, 'X-Forwarded-Scopes')).toEqual(['mcp:tools'])
  })

  it('what the caller wrote into those fields does not survive', async () => {
    const forged = Object.fromEntries(COPIED.map((field) => [field, 'root']))
    await range.call('/page', { headers: { ...forged, ...bearer(token) } })
    const [passed] = range.ingress.passed.slice(-1)
    expect(passed?.rawHeaders.includes('root')).toBe(false)
    expect(passed && valuesOf(passed, 'X-Forwarded-User')).toEqual(['ann@example.com'])
  })

  it('an assertion that it can check, and that is for it alone', async () => {
    await range.call('/page', { headers: bearer(token) })
    const [passed] = range.ingress.passed.slice(-1)
    const [jwt = ''] = passed ? valuesOf(passed, 'X-Portcullis-Assertion') : []
    const keys = createLocalJWKSet((await (await fetch(`${GATE}/.well-known/jwks.json`)).json()) as JSONWebKeySet)
    const { payload } = await jwtVerify(jwt, keys, { issuer: GATE, audience: APP, typ: 'portcullis-assertion+jwt' })
    expect(payload).toMatchObject({ email: 'ann@example.com', groups: ['engineering'] })
  })

  it.each([
    ['/.well-known/oauth-protected-resource', APP],
    ['/.well-known/oauth-protected-resource/sse', `${APP}/sse`],
  ])('%s is answered with the document, without a token', async (path, resource) => {
    const answer = await range.ask([
      ['X-Forwarded-Method', 'GET'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', 'app.example.com'],
      ['X-Forwarded-Uri', path],
    ])
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.text)).toMatchObject({
      resource,
      authorization_servers: [GATE],
      scopes_supported: ['mcp:tools'],
    })
    expect(answer.headers['x-forwarded-user']).toBe('')
  })

  it('the challenge names that document at an address of ours, and a client that follows it gets in', async () => {
    const challenge = (await range.call('/sse')).headers['www-authenticate'] ?? ''
    const address = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? ''
    expect(address).toBe(`${GATE}/.well-known/oauth-protected-resource/auth/app.example.com/sse`)
    const document = await documentAt(address)
    expect(document.resource).toBe(`${APP}/sse`)
    const client = await registerClient({ url: document.authorization_servers[0] ?? '' })
    const person = await range.gateway.person()
    const { accessToken } = await client.signIn(person, {
      resource: document.resource,
      scope: document.scopes_supported.join(' '),
    })
    expect((await range.call('/sse', { headers: bearer(accessToken) })).status).toBe(200)
    expect(
      (await range.call('/messages?session=1', { method: 'POST', headers: bearer(accessToken), body: '{}' })).status,
    ).toBe(200)
  })

  it('no document of a host that is not protected', async () => {
    for (const host of ['evil.example', 'x.app.example.com', 'gate.example.com'])
      expect((await fetch(`${GATE}/.well-known/oauth-protected-resource/auth/${host}/mcp`)).status).toBe(404)
  })
})
