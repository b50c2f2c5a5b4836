// Client documents through the door: what is fetched, what is believed, how long.
import { once } from 'node:events'
import { get } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { type Door, type DoorOptions, pkce, REDIRECT, startDoor } from '../../test/support/door.ts'
import { outboundFetch } from '../http/outbound.ts'
import { cacheTtl, isDocumentUrl } from './client-document.ts'

const ID = 'https://client.example/oauth/client.json'
const DOCUMENT = { client_id: ID, client_name: 'Documented', redirect_uris: [REDIRECT, 'http://localhost/callback'] }

let door: Door
let fetched: string[] = []
let answer: { status: number; body: string; headers: Record<string, string> }
afterEach(() => door?.close())

async function start(document: unknown = DOCUMENT, options: DoorOptions = {}) {
  fetched = []
  answer = { status: 200, body: typeof document === 'string' ? document : JSON.stringify(document), headers: {} }
  door = await startDoor({
    fetchPublic: async (url) => {
      fetched.push(url)
      return { status: answer.status, headers: new Headers(answer.headers), body: Buffer.from(answer.body) }
    },
    ...options,
  })
}
const ask = (id = ID, parameters = {}) => door.browser().get(door.authorizeUrl(id, pkce().challenge, parameters))

describe('CIMD draft-02 §4: a document is a client', () => {
  it('signs in and refreshes, fetched once', async () => {
    await start()
    const { answer: tokens, refreshToken } = await door.signIn({ clientId: ID })
    expect(tokens.status).toBe(200)
    expect((await door.refresh(ID, refreshToken)).status).toBe(200)
    expect(fetched).toEqual([ID])
    expect(await door.store.durable.clients.count()).toBe(0)
  })

  it('its loopback redirect takes any port, its host is shown', async () => {
    await start()
    const browser = door.browser()
    const redirect_uri = 'http://localhost:61234/callback'
    const page = await browser.get(door.authorizeUrl(ID, pkce().challenge, { redirect_uri }))
    expect(JSON.parse((await browser.get(page.headers.get('location') ?? '')).text)).toMatchObject({
      client: { id: ID, name: 'Documented', kind: 'document', documentHost: 'client.example' },
      redirectKind: 'loopback',
    })
  })

  it('a configured client of that name wins, and nothing is fetched', async () => {
    await start(DOCUMENT, { oauth: { clients: [{ clientId: ID, redirectUris: [REDIRECT] }] } })
    expect((await ask()).status).toBe(303)
    expect(fetched).toEqual([])
  })
})

describe('CIMD draft-02 §4.1: MUST be refused, and told alike', () => {
  it.each<[string, unknown]>([
    ['another client_id', { ...DOCUMENT, client_id: `${ID}/` }],
    ['client_id in another case', { ...DOCUMENT, client_id: ID.toUpperCase() }],
    ['no client_id', { ...DOCUMENT, client_id: undefined }],
    ['no client_name', { ...DOCUMENT, client_name: undefined }],
    ['no redirect_uris', { ...DOCUMENT, redirect_uris: undefined }],
    ['an active redirect URI', { ...DOCUMENT, redirect_uris: [REDIRECT, 'javascript:alert(1)'] }],
    ['a secret', { ...DOCUMENT, client_secret: 'x' }],
    ['a shared-secret method', { ...DOCUMENT, token_endpoint_auth_method: 'client_secret_basic' }],
    [
      'a private key',
      { ...DOCUMENT, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ kty: 'EC', d: 'x' }] } },
    ],
    ['a list', [DOCUMENT]],
    ['no JSON', '<html>'],
    ['a byte order mark', `\ufeff${JSON.stringify(DOCUMENT)}`],
    ['nothing', ''],
  ])('%s', async (_name, document) => {
    await start(document)
    const refused = await ask()
    expect([refused.status, refused.headers.get('location')]).toEqual([400, null])
    expect(refused.text).toContain('invalid_client: client_id metadata document fetch failed')
    // Errors MUST NOT be cached: the next one that is good is taken.
    answer = { ...answer, body: JSON.stringify(DOCUMENT) }
    expect((await ask()).status).toBe(303)
  })

  it.each([301, 302, 307, 404, 500, 204])('status %i', async (status) => {
    await start()
    answer = { ...answer, status }
    expect((await ask()).status).toBe(400)
  })

  it('an address inside the house is never connected to, and reads the same', async () => {
    let asked = 0
    const resolve = async () => {
      asked++
      return ['169.254.169.254']
    }
    door = await startDoor({ fetchPublic: outboundFetch({ allowLoopback: false, resolve }) })
    const refused = await ask()
    expect([refused.status, asked]).toEqual([400, 1])
    expect(refused.text).toContain('invalid_client: client_id metadata document fetch failed')
    expect(refused.text).not.toContain('169.254')
  })

  it('a redirect URI that the document does not name', async () => {
    await start()
    expect((await ask(ID, { redirect_uri: 'https://client.example/other' })).status).toBe(400)
  })
})

describe('CIMD draft-02 §3: which addresses are documents', () => {
  it.each([
    'http://client.example/c.json',
    'https://client.example',
    'https://client.example/',
    'https://client.example/./c.json',
    'https://client.example/a/../c.json',
    'https://client.example/%2e%2e/c.json',
    'https://client.example/c.json#x',
    'https://user@client.example/c.json',
    'https://client.example/c\t.json',
    'https:\\\\client.example\\c.json',
    'HTTPS://client.example/c.json',
    'https://client.example:443/c.json',
    'https://0x7f.1/c.json',
  ])('not %s', async (id) => {
    expect(isDocumentUrl(id)).toBe(false)
    await start({ ...DOCUMENT, client_id: id })
    expect((await ask(id)).status).toBe(400)
    expect(fetched).toEqual([])
  })

  it('nor one on a host that is not trusted, nor any where they are switched off', async () => {
    await start(DOCUMENT, { oauth: { registration: { trustedHosts: ['other.example'] } } })
    expect((await ask()).status).toBe(400)
    await door.close()
    await start(DOCUMENT, { oauth: { registration: { metadataDocuments: false } } })
    expect((await ask()).status).toBe(400)
    expect(fetched).toEqual([])
  })
})

describe('RFC 9111: how long a document is believed', () => {
  it.each([
    ['max-age=600', 600_000],
    ['public, max-age="120"', 120_000],
    ['max-age=0, must-revalidate', 60_000],
    ['max-age=315360000', 86_400_000],
    ['no-store', 0],
    ['max-age=600, no-store', 0],
    ['', 300_000],
  ])('%s', (control, expected) => {
    expect(cacheTtl(new Headers(control === '' ? {} : { 'cache-control': control }))).toBe(expected)
  })

  it('a redirect URI removed at the source is refused once that time is over', async () => {
    await start()
    expect((await ask()).status).toBe(303)
    answer = { ...answer, body: JSON.stringify({ ...DOCUMENT, redirect_uris: ['https://client.example/new'] }) }
    expect((await ask()).status).toBe(303)
    door.advance(301_000)
    expect((await ask()).status).toBe(400)
  })

  it('many at once are one fetch, and one host is asked ten times a minute', async () => {
    await start()
    await Promise.all(Array.from({ length: 20 }, () => ask()))
    expect(fetched).toHaveLength(1)
    for (let path = 0; path < 30; path++) await ask(`https://client.example/${path}.json`)
    expect(fetched).toHaveLength(10)
    door.advance(60_000)
    await ask('https://client.example/later.json')
    expect(fetched).toHaveLength(11)
  })
})

describe('when a document cannot be fetched', () => {
  const SPENT = { status: 503, error: 'temporarily_unavailable' }
  const told = ({ status, body }: { status: number; body: Record<string, unknown> }) => ({
    status,
    error: body['error'],
  })

  it('the last good one is used for a day, whoever spends the quota or takes its host away', async () => {
    await start()
    const { refreshToken } = await door.signIn({ clientId: ID })
    door.advance(301_000)
    const before = fetched.length
    for (let host = 0; host < 30; host++) await ask(`https://h${host}.evil.example/c.json`)
    // One network has its share.
    expect(fetched.length - before).toBe(20)
    const first = await door.refresh(ID, refreshToken)
    expect(first.status).toBe(200)
    door.advance(400_000)
    answer = { ...answer, status: 503 }
    const second = await door.refresh(ID, String(first.body['refresh_token']))
    expect(second.status).toBe(200)
    door.advance(25 * 3_600_000)
    const late = await door.refresh(ID, String(second.body['refresh_token']))
    expect(told(late)).toEqual({ status: 400, error: 'invalid_client' })
    answer = { ...answer, status: 200 }
    expect((await door.refresh(ID, String(second.body['refresh_token']))).status).toBe(200)
  })

  it('a network that has spent its share holds back nobody else’s look at what has changed', async () => {
    await start()
    const from = async (localAddress: string, id = ID) => {
      const [response] = await once(get(door.authorizeUrl(id, pkce().challenge), { localAddress }), 'response')
      response.resume()
      return response.statusCode
    }
    const [stranger, person] = ['127.0.0.2', '127.0.0.3']
    expect(await from(person)).toBe(303)
    answer = { ...answer, body: JSON.stringify({ ...DOCUMENT, redirect_uris: ['https://client.example/new'] }) }
    door.advance(301_000)
    for (let host = 0; host < 20; host++) await from(stranger, `https://h${host}.evil.example/c.json`)
    // They have to do with what was known; a redirect URI that is withdrawn is not kept open for others by it.
    expect(await from(stranger)).toBe(303)
    expect(await from(person)).toBe(400)
    expect(await from(stranger)).toBe(400)
  })

  it.each([404, 410])('%i of its host counts at once', async (status) => {
    await start()
    const { refreshToken } = await door.signIn({ clientId: ID })
    door.advance(301_000)
    answer = { ...answer, status }
    expect(told(await door.refresh(ID, refreshToken))).toEqual({ status: 400, error: 'invalid_client' })
  })

  it('one that was never read is asked to come back, and is read then', async () => {
    await start()
    for (let host = 0; host < 20; host++) await ask(`https://h${host}.evil.example/c.json`)
    const late = await ask()
    expect([late.status, late.text.includes('temporarily_unavailable')]).toEqual([503, true])
    const refresh = await door.refresh(ID, 'any')
    expect(told(refresh)).toEqual(SPENT)
    door.advance(60_000)
    expect((await ask()).status).toBe(303)
  })

  it('one that tokens were issued to outlives any number of made-up ones', async () => {
    let down = false
    fetched = []
    door = await startDoor({
      fetchPublic: async (url) => {
        fetched.push(url)
        if (down) throw new Error('down')
        const body = Buffer.from(JSON.stringify({ ...DOCUMENT, client_id: url }))
        return { status: 200, headers: new Headers({ 'cache-control': 'max-age=86400' }), body }
      },
    })
    const { refreshToken } = await door.signIn({ clientId: ID })
    for (let at = 0; at < 520; at++) {
      if (at % 10 === 0) door.advance(61_000)
      await ask(`https://h${at}.evil.example/c.json`)
    }
    expect(fetched).toHaveLength(521)
    down = true
    door.advance(61_000)
    expect((await door.refresh(ID, refreshToken)).status).toBe(200)
    expect((await ask('https://h519.evil.example/c.json')).status).toBe(303)
    expect((await ask('https://h1.evil.example/c.json')).status).toBe(400)
  })
})
