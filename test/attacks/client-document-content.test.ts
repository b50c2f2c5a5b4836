// Rows B9–B15 of the attack catalogue: what a client ID metadata document may say, how long it is believed, and whom it may replace.
// draft-ietf-oauth-client-id-metadata-document-02, MCP 2026-07-28 (Authorization).
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { knownClient } from '../support/client.ts'
import { documentOf, sendDocument } from '../support/document-host.ts'
import { type DocumentRange, FETCH_FAILED, startDocumentRange } from '../support/document-range.ts'
import {
  expectLocalPage,
  expectRefused,
  expectServed,
  GOOD,
  SCOPE,
  send,
  startOAuthRange,
} from '../support/oauth-range.ts'
import { attackTable } from '../support/range.ts'

let stranger: DocumentRange
beforeAll(async () => {
  stranger = await startDocumentRange()
})
beforeEach(() => stranger.reset())
afterAll(() => stranger?.close())

const idOf = (path: string | undefined) => `${stranger.host.origin}${path}`

// ---- B9: whose document it is, letter by letter.

const NAMES: readonly { id: string; asked: () => string; says: (id: string) => unknown }[] = [
  { id: 'default port', asked: () => `${stranger.host.origin}/b9.json`, says: (id) => id.replace(/:\d+/, ':443') },
  { id: 'no port', asked: () => stranger.fresh(), says: (id) => id.replace(/:\d+/, '') },
  { id: 'a slash at the end', asked: () => stranger.fresh(), says: (id) => `${id}/` },
  {
    id: 'host in upper case',
    asked: () => `https://localhost:${stranger.host.port}/b9.json`,
    says: (id) => id.replace('localhost', 'LOCALHOST'),
  },
  { id: 'scheme in upper case', asked: () => stranger.fresh(), says: (id) => id.replace('https', 'HTTPS') },
  { id: 'path in upper case', asked: () => stranger.fresh(), says: (id) => id.replace('client', 'CLIENT') },
  {
    id: 'escapes in upper case',
    asked: () => `${stranger.host.origin}/b9%c3%a4.json`,
    says: (id) => id.replace('%c3%a4', '%C3%A4'),
  },
  { id: 'a letter escaped', asked: () => stranger.fresh(), says: (id) => id.replace('/client', '/%63lient') },
  {
    id: 'an escape written out',
    asked: () => `${stranger.host.origin}/b9%c3%a5.json`,
    says: (id) => id.replace('%c3%a5', 'å'),
  },
  { id: 'a query', asked: () => stranger.fresh(), says: (id) => `${id}?` },
  { id: 'a fragment', asked: () => stranger.fresh(), says: (id) => `${id}#` },
  { id: 'a dot segment', asked: () => stranger.fresh(), says: (id) => id.replace('/client', '/./client') },
  { id: 'a space', asked: () => stranger.fresh(), says: (id) => `${id} ` },
  { id: 'another host', asked: () => stranger.fresh(), says: () => 'https://honest.example/client.json' },
  { id: 'a list', asked: () => stranger.fresh(), says: (id) => [id] },
  { id: 'missing', asked: () => stranger.fresh(), says: () => undefined },
  { id: 'null', asked: () => stranger.fresh(), says: () => null },
]

attackTable('B9: a document that calls itself', NAMES, async ({ asked, says }) => {
  stranger.resolver.point('localhost', ['127.0.0.1'])
  const id = asked()
  stranger.host.answer((_req, res) => sendDocument(res, documentOf(id, { client_id: says(id) })))
  expect((await stranger.expectDisbelieved(stranger.lax, id)).html).toContain(FETCH_FAILED)
  stranger.host.answer((_req, res) => sendDocument(res, documentOf(id)))
  await stranger.expectBelieved(id)
})

// ---- B10: what is no address of a document.

const SYNTAX: readonly { id: string; url: (origin: string) => string }[] = [
  { id: 'http', url: (origin) => `${origin.replace('https', 'http')}/c.json` },
  { id: 'no path', url: (origin) => origin },
  { id: 'the root', url: (origin) => `${origin}/` },
  { id: 'the root with a query', url: (origin) => `${origin}/?c` },
  { id: 'a dot', url: (origin) => `${origin}/./c.json` },
  { id: 'two dots', url: (origin) => `${origin}/x/../c.json` },
  { id: 'two dots at the end', url: (origin) => `${origin}/c.json/..` },
  { id: 'encoded dots', url: (origin) => `${origin}/%2e%2e/c.json` },
  { id: 'half-encoded dots', url: (origin) => `${origin}/.%2E/c.json` },
  { id: 'a fragment', url: (origin) => `${origin}/c.json#x` },
  { id: 'an empty fragment', url: (origin) => `${origin}/c.json#` },
  { id: 'userinfo', url: (origin) => `${origin.replace('//', '//user@')}/c.json` },
  { id: 'userinfo with a password', url: (origin) => `${origin.replace('//', '//user:pw@')}/c.json` },
  { id: 'empty userinfo', url: (origin) => `${origin.replace('//', '//@')}/c.json` },
  { id: 'a tab', url: (origin) => `${origin}/c\t.json` },
  { id: 'a line feed', url: (origin) => `${origin}/c\n.json` },
  { id: 'a space before', url: (origin) => ` ${origin}/c.json` },
  { id: 'a space after', url: (origin) => `${origin}/c.json ` },
  { id: 'a space inside', url: (origin) => `${origin}/c c.json` },
  { id: 'backslashes', url: (origin) => `https:\\\\${origin.slice(8)}\\c.json` },
  { id: 'one backslash', url: (origin) => `${origin}\\c.json` },
  { id: 'one slash', url: (origin) => `https:/${origin.slice(8)}/c.json` },
  { id: 'three slashes', url: (origin) => `https:///${origin.slice(8)}/c.json` },
  { id: 'no slashes', url: (origin) => `https:${origin.slice(8)}/c.json` },
  { id: 'scheme in upper case', url: (origin) => `HTTPS://${origin.slice(8)}/c.json` },
  { id: 'a port with a zero', url: (origin) => `${origin.replace(/:(\d+)$/, ':0$1')}/c.json` },
  { id: 'a letter beyond ASCII', url: (origin) => `${origin}/ç.json` },
  { id: 'longer than any', url: (origin) => `${origin}/${'c'.repeat(2100)}` },
  { id: 'javascript', url: () => 'javascript:alert(1)' },
  { id: 'data', url: () => 'data:application/json,{}' },
  { id: 'file', url: () => 'file:///etc/passwd' },
  { id: 'ftp', url: () => 'ftp://127.0.0.1/c.json' },
]

attackTable('B10: no address of a document:', SYNTAX, async ({ url }) => {
  const id = url(stranger.host.origin)
  // It would agree to be called anything.
  stranger.host.answer((_req, res) => sendDocument(res, documentOf(id)))
  await stranger.expectDisbelieved(stranger.lax, id)
  expect(stranger.host.connections).toBe(0)
  const neighbour = stranger.fresh()
  stranger.host.answer((_req, res) => sendDocument(res, documentOf(neighbour)))
  await stranger.expectBelieved(neighbour)
})

// ---- B11: what is not for everybody to read.

const EC = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}
const withKeys = (...keys: object[]) => ({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } })
const SECRETS: readonly { id: string; members: Record<string, unknown> }[] = [
  { id: 'a client secret', members: { client_secret: 'not-so-secret' } },
  { id: 'an empty client secret', members: { client_secret: '' } },
  { id: 'a client secret of null', members: { client_secret: null } },
  { id: 'the end of a client secret', members: { client_secret_expires_at: 0 } },
  ...['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'tls_client_auth', 'NONE', '', null].map(
    (method) => ({
      id: `method ${JSON.stringify(method)}`,
      members: { token_endpoint_auth_method: method === null ? ['none'] : method },
    }),
  ),
  { id: 'a private key', members: withKeys({ ...EC, d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI' }) },
  { id: 'a private key beside a public one', members: withKeys(EC, { ...EC, d: 'AA' }) },
  { id: 'half an RSA key', members: withKeys({ kty: 'RSA', n: 'AQAB', e: 'AQAB', p: 'AQAB' }) },
  { id: 'a symmetric key', members: withKeys({ kty: 'oct', k: 'c2VjcmV0' }) },
  { id: 'a symmetric key without itself', members: withKeys({ kty: 'oct' }) },
  { id: 'no keys', members: { token_endpoint_auth_method: 'private_key_jwt' } },
  { id: 'an empty list of keys', members: withKeys() },
  { id: 'keys that are none', members: { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: ['x', null] } } },
]

attackTable('B11: a document with', SECRETS, async ({ members }) => {
  stranger.host.answer((req, res) => sendDocument(res, documentOf(idOf(req.url), members)))
  const seen = await stranger.expectDisbelieved(stranger.lax, stranger.fresh())
  expect(seen.html).toContain(FETCH_FAILED)
  expect(stranger.lax.gateway.log.join('\n')).not.toContain('jpsQnnGQmL')
  stranger.host.answer((req, res) => sendDocument(res, documentOf(idOf(req.url), withKeys(EC))))
  await stranger.expectBelieved()
})

// ---- B12: how long it is believed.

const LIVES: readonly { id: string; headers: Record<string, string>; still: string; over: string }[] = [
  { id: 'ten years', headers: { 'cache-control': 'max-age=315360000' }, still: '23h', over: '61m' },
  { id: 'ten years, to shared caches', headers: { 'cache-control': 's-maxage=315360000' }, still: '4m', over: '2m' },
  { id: 'for ever', headers: { 'cache-control': 'immutable, max-age=999999999999999' }, still: '23h', over: '61m' },
  { id: 'as long as its Expires', headers: { expires: 'Fri, 01 Jan 2100 00:00:00 GMT' }, still: '4m', over: '2m' },
  { id: 'nothing said', headers: {}, still: '4m', over: '2m' },
  { id: 'ten minutes', headers: { 'cache-control': 'max-age=600' }, still: '9m', over: '2m' },
  { id: 'no time at all', headers: { 'cache-control': 'max-age=0' }, still: '50s', over: '11s' },
  { id: 'less than none', headers: { 'cache-control': 'max-age=-1' }, still: '4m', over: '2m' },
]

attackTable('B12: a document that wants to be believed', LIVES, async ({ headers, still, over }) => {
  const id = stranger.fresh()
  stranger.host.answer((_req, res) =>
    sendDocument(res, documentOf(id, { redirect_uris: [GOOD, 'https://old.example/cb'] }), headers),
  )
  await stranger.expectBelieved(id, { redirect_uri: 'https://old.example/cb' })
  // The redirect URI is taken out at its source: someone else has the name now.
  stranger.host.answer((_req, res) => sendDocument(res, documentOf(id), headers))
  stranger.lax.gateway.clock.advance(still)
  await stranger.expectBelieved(id, { redirect_uri: 'https://old.example/cb' })
  expect(stranger.host.paths).toHaveLength(1)
  stranger.lax.gateway.clock.advance(over)
  const asked = stranger.requestOf(stranger.lax, id, { redirect_uri: 'https://old.example/cb' })
  expectLocalPage(await expectRefused(stranger.lax, 'invalid_redirect_uri', () => send(asked)))
  expect(stranger.host.paths).toHaveLength(2)
  await stranger.expectBelieved(id)
})

describe('B12: what is not kept', () => {
  it('is a document that forbids it, in any company', async () => {
    for (const control of ['no-store', 'max-age=600, no-store', 'NO-STORE', 'private,no-store ,max-age=9']) {
      const id = stranger.fresh()
      stranger.host.answer((_req, res) => sendDocument(res, documentOf(id), { 'cache-control': control }))
      stranger.host.forget()
      for (let visit = 1; visit <= 3; visit++) {
        await stranger.expectBelieved(id)
        expect(stranger.host.paths).toHaveLength(visit)
      }
      stranger.lax.gateway.clock.advance('2m')
    }
  })

  it('is a failure: the next one who asks is answered by what is there then', async () => {
    for (const status of [404, 500, 304]) {
      const id = stranger.fresh()
      stranger.host.answer((_req, res) => void res.writeHead(status, { 'cache-control': 'max-age=86400' }).end())
      await stranger.expectDisbelieved(stranger.lax, id)
      stranger.host.answer((_req, res) => sendDocument(res, documentOf(id)))
      await stranger.expectBelieved(id)
    }
  })

  it('is a document that turned bad: its tokens live out their minutes, no more are given', async () => {
    const id = stranger.fresh()
    stranger.host.answer((_req, res) => sendDocument(res, documentOf(id)))
    const documented = await knownClient(stranger.lax.gateway, id, GOOD)
    const { accessToken, refreshToken = '' } = await stranger.lax.gateway.signIn('canary', { client: documented })
    stranger.lax.secrets.add(accessToken).add(refreshToken)
    await expectServed(stranger.lax, accessToken)
    stranger.host.answer((_req, res) => void res.writeHead(410).end())
    stranger.lax.gateway.clock.advance('6m')
    await expectRefused(stranger.lax, 'invalid_client', () => documented.refresh(refreshToken))
    // Nothing was spent by that: the document is back, and so is its stranger.client.
    stranger.host.answer((_req, res) => sendDocument(res, documentOf(id)))
    expect((await documented.refresh(refreshToken)).status).toBe(200)
  })
})

// ---- B13: a document vouches for its stranger.host, not for who listens on the person's computer.

describe('B13: a client that only has loopback redirects', () => {
  it('is shown with the host of its document, the host of its redirect, and a warning', async () => {
    const redirect = 'http://127.0.0.1:7777/cb'
    const redirect_uris = ['http://127.0.0.1/cb', 'http://localhost/cb']
    const id = stranger.fresh()
    stranger.host.answer((_req, res) =>
      sendDocument(res, documentOf(id, { client_name: 'Honest Desktop', redirect_uris })),
    )
    const { html } = await (await stranger.lax.gateway.person()).open(
      stranger.requestOf(stranger.lax, id, { redirect_uri: redirect }),
    )
    expect(html).toContain('Honest Desktop')
    expect(html).toContain(`Described by 127.0.0.1:${stranger.host.port}.`)
    expect(html).toContain('127.0.0.1:7777')
    expect(html).toContain('Did you start this yourself?')
    expect(html).toMatch(/any program on this computer could be waiting for it/)
    // Its neighbour on the web is not warned of.
    stranger.host.answer((req, res) => sendDocument(res, documentOf(idOf(req.url))))
    const web = await (await stranger.lax.gateway.person()).open(stranger.requestOf(stranger.lax, stranger.fresh()))
    expect(web.html).toContain('good.example')
    expect(web.html).not.toContain('Did you start this yourself?')
  })

  it('asks again each time, however often it was allowed', async () => {
    const id = stranger.fresh()
    stranger.host.answer((_req, res) => sendDocument(res, documentOf(id, { redirect_uris: ['http://127.0.0.1/cb'] })))
    const documented = await knownClient(stranger.lax.gateway, id, 'http://127.0.0.1:7777/cb')
    const person = await stranger.lax.gateway.person()
    await documented.signIn(person, { resource: stranger.lax.resource, scope: SCOPE })
    const again = documented.authorize({ resource: stranger.lax.resource, scope: SCOPE })
    const shown = await person.open(again.url)
    expect({ status: shown.status, location: shown.location }).toEqual({ status: 200, location: undefined })
    expect(shown.html).toContain('Did you start this yourself?')
  })
})

describe('B13: policy about domains', () => {
  it('a host that is not trusted is neither asked nor believed; loopback has no exception here', async () => {
    const range = await startOAuthRange({
      server: { development: true },
      oauth: { registration: { trustedHosts: ['good.example', 'localhost'] } },
    })
    stranger.resolver.point('localhost', ['127.0.0.1'])
    await stranger.expectDisbelieved(range, `${stranger.host.origin}/untrusted.json`)
    expect(stranger.host.connections).toBe(0)
    const id = `https://localhost:${stranger.host.port}/trusted.json`
    stranger.host.answer((_req, res) => sendDocument(res, documentOf(id)))
    expect((await send(stranger.requestOf(range, id))).status).toBe(303)
    stranger.host.answer((_req, res) =>
      sendDocument(res, documentOf(`${id}2`, { redirect_uris: ['https://evil.example/cb'] })),
    )
    await stranger.expectDisbelieved(range, `${id}2`, { redirect_uri: 'https://evil.example/cb' })
    await range.close()
  })
})

// ---- B14: a client that is known already.

describe('B14: shadowing', () => {
  it('a configured client wins over the document at its address, which nobody asks for', async () => {
    const id = stranger.fresh()
    const clients = [{ clientId: id, name: 'The configured one', redirectUris: [GOOD] }]
    const range = await startOAuthRange({ server: { development: true }, oauth: { clients } })
    stranger.host.answer((_req, res) =>
      sendDocument(res, documentOf(id, { redirect_uris: ['https://evil.example/cb'] })),
    )
    const seen = await (await range.gateway.person()).open(stranger.requestOf(range, id))
    expect(seen.html).toContain('The configured one')
    expect(seen.html).toContain('Known to this server.')
    const evil = stranger.requestOf(range, id, { redirect_uri: 'https://evil.example/cb' })
    expectLocalPage(await expectRefused(range, 'invalid_redirect_uri', () => send(evil)))
    expect(stranger.host.connections).toBe(0)
    await range.close()
  })

  it('a document that names a registered client is nobody', async () => {
    stranger.host.answer((_req, res) => sendDocument(res, documentOf(stranger.client.id)))
    await stranger.expectDisbelieved(stranger.lax, stranger.fresh())
  })

  it('documents that are switched off are not asked for', async () => {
    const registration = { metadataDocuments: false }
    const range = await startOAuthRange({ server: { development: true }, oauth: { registration } })
    await stranger.expectDisbelieved(range, stranger.fresh())
    expect(stranger.host.connections).toBe(0)
    await range.close()
  })
})

// ---- B15: not a hammer in a stranger's hand.

describe('B15: amplification', () => {
  it('ten documents a minute from one host, however many addresses it is asked for under', async () => {
    const requests = Array.from({ length: 40 }, (_, index) =>
      send(stranger.requestOf(stranger.lax, `${stranger.host.origin}/many-${index}.json`)),
    )
    const statuses = (await Promise.all(requests)).map(({ status }) => status)
    expect(stranger.host.paths).toHaveLength(10)
    expect(statuses.filter((status) => status === 303)).toHaveLength(10)
    // Not the client's fault: it may ask again (RFC 9110 §15.6.4).
    expect(statuses.filter((status) => status === 503)).toHaveLength(30)
    expect((await send(stranger.requestOf(stranger.lax, stranger.fresh()))).status).toBe(503)
    expect(stranger.host.paths).toHaveLength(10)
    stranger.lax.gateway.clock.advance('61s')
    await stranger.expectBelieved()
  })

  it('many who ask for one document at once are one visit', async () => {
    const id = stranger.fresh()
    const seen = await Promise.all(Array.from({ length: 20 }, () => send(stranger.requestOf(stranger.lax, id))))
    expect(seen.map(({ status }) => status)).toEqual(Array(20).fill(303))
    expect(stranger.host.paths).toHaveLength(1)
  })

  it('one request is one visit, also where it fails', async () => {
    stranger.host.answer((_req, res) => void res.writeHead(500).end())
    await stranger.expectDisbelieved(stranger.lax, stranger.fresh())
    expect(stranger.host.connections).toBe(1)
  })
})
