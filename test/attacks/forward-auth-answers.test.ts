// What an ingress is told, and what comes of it: D3, D4, D17, D18, D19, D22 and D24 of the catalogue.
import fc from 'fast-check'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeHeaderValue } from '../../src/protocol/header-value.ts'
import { adminApiOf } from '../support/admin-api.ts'
import { APP, type Called, type ForwardRange, GATE, OTHER, startForwardRange } from '../support/forward-range.ts'
import { ANN, startGateway } from '../support/gateway.ts'
import { COPIED, valuesOf } from '../support/ingress.ts'
import { legible } from '../support/legible.ts'
import { minterOf } from '../support/mint.ts'
import { createPerson } from '../support/person.ts'
import { connectRaw } from '../support/raw.ts'

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const asked = (method = 'GET', uri = '/', host = 'app.example.com') =>
  [
    ['X-Forwarded-Method', method],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', host],
    ['X-Forwarded-Uri', uri],
  ] as const
const askedByNginx = (method = 'GET', uri = '/') =>
  [
    ['X-Original-URL', `${APP}${uri}`],
    ['X-Original-Method', method],
  ] as const
/** How often each field stands in the answer. */
const countOf = ({ rawHeaders }: Called, field: string) =>
  rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === field.toLowerCase()).length

let range: ForwardRange
let token: string
beforeAll(async () => {
  range = await startForwardRange()
  token = await range.tokenFor()
})
afterAll(() => range.close())

describe('D3: a field that the answer lacks', () => {
  it('there is none, even of a person without groups: Caddy before 2.11 would keep the caller’s', async () => {
    const caddy = await startForwardRange({ kind: 'caddy' })
    await caddy.gateway.addUser({ username: 'lone', password: ANN.password })
    const person = createPerson({ username: 'lone', password: ANN.password })
    const own = await caddy.tokenFor(APP, { person })
    const forged = Object.fromEntries(COPIED.map((field) => [field, 'root']))
    expect((await caddy.call('/', { headers: { ...forged, ...bearer(own) } })).status).toBe(200)
    const [passed] = caddy.ingress.passed
    expect(passed?.rawHeaders.includes('root')).toBe(false)
    expect(passed && valuesOf(passed, 'X-Forwarded-Groups')).toEqual([''])
    expect(passed && valuesOf(passed, 'X-Forwarded-User')).toEqual(['lone@example.com'])
    // The document is for anybody, and names nobody.
    const answer = await caddy.call('/.well-known/oauth-protected-resource', { headers: forged })
    expect(answer.status).toBe(200)
    expect(caddy.ingress.passed.at(-1)?.rawHeaders.includes('root')).toBe(false)
    await caddy.close()
  })

  it.each(COPIED)('%s is in every 200, once (D4)', async (field) => {
    const answer = await range.ask([
      ...asked(),
      ['Authorization', `Bearer ${token}`],
      [field, 'root'],
      [field, 'admin'],
    ])
    expect(answer.status).toBe(200)
    expect(countOf(answer, field)).toBe(1)
    expect(legible(String(answer.headers[field.toLowerCase()]))).not.toMatch(/root|admin/)
  })
})

describe('a token that is not for this address', () => {
  it('is refused as at the MCP door, and recorded; one that is passes', async () => {
    const api = await adminApiOf(range.gateway, await range.gateway.person())
    const [here, elsewhere] = [
      await api.token({ name: 'here', addresses: ['127.0.0.0/8'] }),
      await api.token({ name: 'elsewhere', addresses: ['192.0.2.0/24'] }),
    ]
    const ask = ({ secret }: { secret: string }) => range.ask([...asked(), ['Authorization', `Bearer ${secret}`]])
    expect([(await ask(here)).status, (await ask(elsewhere)).status]).toEqual([200, 403])
    const isIt = ({ reason }: { reason: string }) => reason === 'address_not_allowed'
    const events = (await range.gateway.audit((all) => all.some(isIt))).filter(isIt)
    expect(events).toMatchObject([{ kind: 'call', decision: 'deny' }])
  })
})

describe('D17: what claims can do to a head', () => {
  const TEXTS = [
    'Ann\r\nX-Forwarded-User: root',
    'Ann\nSet-Cookie: a=b',
    'nul\0nul',
    'J\u00f6rg M\u00fcller',
    '\u0085admin\u00a0',
    '🦊 \u202eadmin',
    'a,root',
    ' padded ',
    '=?base64?cm9vdA==?=',
    'x'.repeat(20_000),
  ]
  async function answerFor(claims: { name?: string; groups?: readonly string[] }): Promise<Called> {
    const { users } = range.gateway.store.durable
    const ann = await users.findByIdentity('local', 'ann')
    if (ann === undefined) throw new TypeError('no ann')
    await users.upsertByIdentity({ ...ann, ...claims })
    range.gateway.clock.advance('6s')
    const fresh = await minted(ann.id)
    const answer = await range.ask([...asked(), ['Authorization', `Bearer ${fresh}`]])
    await users.upsertByIdentity(ann)
    range.gateway.clock.advance('6s')
    return answer
  }
  const minted = async (subject: string) => (await minterOf(range.gateway, 'app'))(subject, { claims: { aud: APP } })

  it.each(TEXTS.map((text) => [JSON.stringify(text.slice(0, 40)), text]))('a name: %s', async (_what, name) => {
    const answer = await answerFor({ name })
    expect(answer.status).toBe(200)
    for (const field of COPIED) expect(countOf(answer, field)).toBe(1)
    expect(countOf(answer, 'Set-Cookie')).toBe(0)
    expect(answer.headers['x-forwarded-user']).toBe('ann@example.com')
    const said = answer.headers['x-forwarded-name'] ?? ''
    expect(said).toMatch(/^[\x20-\x7e]*$/)
    expect([name, '']).toContain(decodeHeaderValue(said))
  })

  it('groups, whatever is in their names', async () => {
    const groups = TEXTS.filter((text) => text.length < 100)
    const answer = await answerFor({ groups })
    expect(answer.status).toBe(200)
    expect(countOf(answer, 'X-Forwarded-Groups')).toBe(1)
    expect((answer.headers['x-forwarded-groups'] ?? '').split(',').map((item) => decodeHeaderValue(item))).toEqual(
      groups,
    )
  })

  it('20 KB of groups: the list is left out, here and in the assertion, and the operator is told', async () => {
    const groups = Array.from({ length: 1000 }, (_, at) => `department-number-${at}`)
    const answer = await answerFor({ groups })
    expect(answer.status).toBe(200)
    expect(answer.headers['x-forwarded-groups']).toBe('')
    const keys = createLocalJWKSet((await (await fetch(`${GATE}/.well-known/jwks.json`)).json()) as JSONWebKeySet)
    const currentDate = new Date(range.gateway.clock.now())
    const { payload } = await jwtVerify(answer.headers['x-portcullis-assertion'] ?? '', keys, { currentDate })
    expect(payload).toMatchObject({ lists_omitted: true, email: 'ann@example.com' })
    expect(range.gateway.log.join('\n')).toContain('too long for a header field')
  })
})

describe('D18: the statuses of nginx', () => {
  it.each(['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    'an original %s is answered without its body',
    async (method) => {
      const head = askedByNginx(method)
      expect((await range.ask([...head, ['Authorization', `Bearer ${token}`]])).status).toBe(200)
      expect((await range.ask(head)).status).toBe(401)
    },
  )

  it.each(['GET', 'HEAD', 'POST', 'PUT'])('the question itself may be a %s', async (method) => {
    const answer = await range.ask([...asked(), ['Authorization', `Bearer ${token}`]], { method })
    expect(answer.status).toBe(200)
    expect(answer.text).toBe('')
  })

  it('a body that was announced and never comes is not waited for', async () => {
    const connection = await connectRaw(range.gateway.port)
    const lines = [
      'POST /auth HTTP/1.1',
      `Host: 127.0.0.1:${range.gateway.port}`,
      ...askedByNginx('POST').map(([name, value]) => `${name}: ${value}`),
      `Authorization: Bearer ${token}`,
      'Content-Type: application/json',
      'Content-Length: 100000',
    ]
    connection.send(`${lines.join('\r\n')}\r\n\r\n`)
    expect((await connection.next('POST')).status).toBe(200)
    connection.destroy()
  })

  it.each([
    ['a page for a browser', '/', { accept: 'text/html' }, 401],
    ['a malformed path', '/a/../b', bearer('x'), 403],
    ['a token in the address', '/?access_token=x', {}, 403],
    ['a bad token', '/', bearer('x.y.z'), 401],
    ['no token', '/', {}, 401],
  ])('%s', async (_what, uri, headers, status) => {
    const answer = await range.ask([...askedByNginx('GET', uri), ...Object.entries(headers)])
    expect(answer.status).toBe(status)
  })

  it('a browser’s 401 carries the address that the configuration sends it to, and its cookie', async () => {
    const answer = await range.ask([...askedByNginx(), ['Accept', 'text/html']])
    expect(answer.status).toBe(401)
    expect(answer.headers['location']).toBeUndefined()
    expect(answer.headers['x-portcullis-location']).toMatch(new RegExp(`^${GATE}/auth/sign-in\\?state=`))
    expect(answer.headers['set-cookie']).toMatch(/^__Host-portcullis_forward_start=/)
    const program = await range.ask(askedByNginx())
    expect(program.headers['x-portcullis-location']).toBeUndefined()
    expect(program.headers['www-authenticate']).toMatch(/^Bearer resource_metadata=/)
  })
})

describe('D19: answers that somebody might keep', () => {
  it.each([
    ['200', asked(), true],
    ['401', asked(), false],
    ['302', [...asked(), ['Accept', 'text/html'] as const], false],
    ['403', asked('GET', '/', 'unknown.example.com'), true],
    ['400', asked('GET', '//'), true],
    ['a document', asked('GET', '/.well-known/oauth-protected-resource'), false],
  ] as const)('are for this caller alone: %s', async (_what, fields, known) => {
    const answer = await range.ask([...fields, ...(known ? [['Authorization', `Bearer ${token}`] as const] : [])])
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.headers['vary']).toBe('Cookie, Authorization')
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('and never another’s: two people in turn, over one connection', async () => {
    const bob = await range.tokenFor(APP, { person: await range.gateway.person('bob') })
    for (const [who, own] of [
      ['ann', token],
      ['bob', bob],
      ['ann', token],
      ['bob', bob],
    ] as const) {
      const answer = await range.ask([...asked(), ['Authorization', `Bearer ${own}`]])
      expect(answer.headers['x-forwarded-user']).toBe(`${who}@example.com`)
    }
  })
})

describe('D22: what is broken stays shut', () => {
  it('a store that is gone: no 200, and a failure that nginx passes on as one', async () => {
    const broken = await startForwardRange()
    const own = await broken.tokenFor()
    const ask = (fields: readonly (readonly [string, string])[]) =>
      broken.ask([...fields, ['Authorization', `Bearer ${own}`]])
    expect((await ask(asked())).status).toBe(200)
    await broken.gateway.store.close()
    broken.gateway.clock.advance('10s')
    for (const fields of [asked(), askedByNginx()]) {
      const answer = await ask(fields)
      expect(answer.status).toBeGreaterThanOrEqual(500)
      expect(answer.text).not.toMatch(/\n\s+at |sqlite|node:/i)
      expect(answer.headers['x-forwarded-user']).toBeUndefined()
    }
    await broken.close().catch(() => undefined)
  })

  it('an identity provider that cannot be reached: 401 and 302 as ever', async () => {
    const far = await startForwardRange({
      identity: { providers: [{ id: 'corp', type: 'oidc', issuer: 'http://127.0.0.1:9', clientId: 'gate' }] },
    })
    expect((await far.ask(asked())).status).toBe(401)
    expect((await far.ask([...asked(), ['Accept', 'text/html']])).status).toBe(302)
    expect((await far.ask([...asked(), ['Authorization', 'Bearer x.y.z']])).status).toBe(401)
    await far.close()
  })

  it('no configuration lets in who shows nothing, except one that says so twice', async () => {
    const host = fc.constantFrom('app.example.com', '*.example.com')
    const mode = fc.constantFrom('auto' as const, 'challenge' as const, 'redirect' as const)
    const settings = fc.record({
      resources: fc.tuple(
        fc.record(
          {
            host,
            path: fc.constantFrom('/', '/x'),
            scopes: fc.subarray(['a', 'b']),
            allowedEmails: fc.subarray(['*@example.com']),
            unauthenticated: mode,
          },
          { requiredKeys: ['host'] },
        ),
      ),
      unauthenticated: mode,
    })
    const auth = fc.record({ anonymous: fc.boolean(), tokens: fc.boolean() })
    const to = fc.constantFrom('*', 'group:engineering', 'user:ann@example.com', 'role:x')
    await fc.assert(
      fc.asyncProperty(settings, auth, to, fc.boolean(), async (forwardAuth, ways, subject, oauth) => {
        const gateway = await startGateway({
          server: { trustedProxies: ['127.0.0.1'] },
          forwardAuth,
          auth: ways,
          doors: { oauth },
          policy: { rules: [{ allow: ['*/*'], to: [subject] }] },
        })
        for (const accept of ['*/*', 'text/html'])
          for (const uri of ['/', '/x', '/x/y', '/.well-known/x']) {
            const headers = { ...Object.fromEntries(asked('GET', uri)), accept }
            const { status } = await fetch(`${gateway.url}/auth`, { headers, redirect: 'manual' })
            expect([302, 401, 403]).toContain(status)
          }
        await gateway.close()
      }),
      { numRuns: 15 },
    )
  })

  it('the one that says so twice lets nobody in as somebody', async () => {
    const open = await startForwardRange({
      auth: { anonymous: true },
      policy: { rules: [{ allow: ['app.example.com/*'], to: ['anonymous'] }] },
    })
    const answer = await open.ask([...asked(), ['X-Forwarded-User', 'root']])
    expect(answer.status).toBe(200)
    expect(answer.headers['x-forwarded-user']).toBe('')
    expect(answer.headers['x-forwarded-auth-method']).toBe('none')
    expect(answer.headers['x-portcullis-assertion']).toBe('')
    // Elsewhere nobody is asked who they are.
    expect((await open.ask(asked('GET', '/', 'other.example.com'))).status).toBe(401)
    await open.close()
  })
})

describe('D24: the assertion', () => {
  it('of one host is none for another, nor a token for us', async () => {
    const answer = await range.ask([...asked(), ['Authorization', `Bearer ${token}`]])
    const jwt = answer.headers['x-portcullis-assertion'] ?? ''
    const keys = createLocalJWKSet((await (await fetch(`${GATE}/.well-known/jwks.json`)).json()) as JSONWebKeySet)
    const currentDate = new Date(range.gateway.clock.now())
    const check = (audience: string) => jwtVerify(jwt, keys, { issuer: GATE, audience, currentDate })
    await expect(check(APP)).resolves.toBeDefined()
    await expect(check(OTHER)).rejects.toThrow(/aud/)
    for (const fields of [asked(), asked('GET', '/', 'other.example.com')])
      expect((await range.ask([...fields, ['Authorization', `Bearer ${jwt}`]])).status).toBe(401)
  })

  it('is refused a minute later', async () => {
    const answer = await range.ask([...asked(), ['Authorization', `Bearer ${token}`]])
    const keys = createLocalJWKSet((await (await fetch(`${GATE}/.well-known/jwks.json`)).json()) as JSONWebKeySet)
    const currentDate = new Date(range.gateway.clock.now() + 61_000)
    const late = jwtVerify(answer.headers['x-portcullis-assertion'] ?? '', keys, { currentDate })
    await expect(late).rejects.toThrow(/exp/)
  })
})
