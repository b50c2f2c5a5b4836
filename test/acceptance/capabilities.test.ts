// Acceptance case 23: the signed list of capabilities that a trusted proxy puts into x-mcp-authorized (until April 2026
// x-authorized-tools). It narrows what policy allows; one that cannot be believed leaves an empty list, never the full one.
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { startGateway } from '../support/gateway.ts'
import { signedBy, signingKey } from '../support/issuer.ts'
import { ACCOUNTING, type Kuadrant, nameOf, startKuadrant } from '../support/kuadrant.ts'
import { callTool, request } from '../support/mcp.ts'

const KEY = signingKey('authorino')
const PEM = KEY.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const FIELD = 'x-mcp-authorized'

let kuadrant: Kuadrant
const seconds = () => Math.floor(kuadrant.gateway.clock.now() / 1000)
const claims = (more: object = {}) => ({
  iss: 'authorino',
  iat: seconds(),
  exp: seconds() + 300,
  'allowed-capabilities': JSON.stringify({
    tools: { [nameOf('server1')]: ['greet', 'headers'], [nameOf('server3')]: ['sum'] },
    prompts: {},
  }),
  ...more,
})
const list = (more: object = {}, key = KEY) => signedBy(key, { typ: 'JWT' }, claims(more))

const token = () => kuadrant.token(ACCOUNTING)
const at = (id: string) => kuadrant.gateway.resource(id)
const resultOf = async (id: string, kind: 'tools' | 'prompts', headers: Record<string, string>) => {
  const { body } = await request(at(id), token(), `${kind}/list`, {}, headers)
  return (body['result'] as Record<string, { name: string }[]>)[kind]
}
const toolsAt = async (id: string, headers: Record<string, string> = {}) =>
  (await resultOf(id, 'tools', headers))?.map(({ name }) => name)

const tampered = () => {
  const [head, , signature] = list().split('.')
  const body = JSON.stringify(claims({ 'allowed-capabilities': `{"tools":{"${nameOf('server1')}":["greet"]}}` }))
  return `${head}.${Buffer.from(body).toString('base64url')}.${signature}`
}
const BAD: [string, () => string][] = [
  ['tampered', tampered],
  ['of another key', () => list({}, signingKey('authorino'))],
  ['expired', () => list({ exp: seconds() - 60 })],
  ['without an end', () => list({ exp: undefined })],
  ['of another algorithm', () => signedBy(KEY, { typ: 'JWT' }, claims(), { header: { alg: 'HS256' } })],
  ['of alg none', () => signedBy(KEY, {}, claims(), { header: { alg: 'none' } })],
  ['of another issuer', () => list({ iss: 'mallory' })],
  ['without the claim', () => list({ 'allowed-capabilities': undefined })],
  ['not JSON', () => list({ 'allowed-capabilities': 'greet' })],
  ['with a server twice', () => list({ 'allowed-capabilities': '{"tools":{"a":[],"a":["greet"]}}' })],
  ['no JWT at all', () => 'greet'],
  ['blank', () => ' '],
  ['two of them in one line', () => `${list()}, ${list()}`],
]

describe('TRUSTED_HEADER_PUBLIC_KEY', () => {
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'portcullis-lists-'))
    writeFileSync(join(folder, 'portcullis.yaml'), 'server: { trustedProxies: [127.0.0.1] }\n')
    const { config } = await loadConfig({ env: { TRUSTED_HEADER_PUBLIC_KEY: PEM }, cwd: folder })
    kuadrant = await startKuadrant({
      auth: { capabilities: { publicKey: config.auth.capabilities?.publicKey } },
      server: { trustedProxies: config.server.trustedProxies },
      policy: {
        rules: [
          { id: 'everything', allow: ['*/*', 'prompt:*/*'], to: ['group:accounting'] },
          { id: 'no-headers', deny: ['server1/headers'], to: ['*'] },
        ],
      },
    })
  })
  afterAll(async () => {
    await kuadrant?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('a list narrows what policy allows, and opens nothing', async () => {
    // `headers` is in the list and denied by a rule; `time` is allowed by a rule and not in the list.
    expect(await toolsAt('server1', { [FIELD]: list() })).toEqual(['greet'])
    expect(await toolsAt('server3', { [FIELD]: list() })).toEqual(['sum'])
    expect((await callTool(at('server1'), token(), 'greet', {}, { [FIELD]: list() })).status).toBe(200)
  })

  it('at /mcp as well, for one person with one list, another, or none, in any order', async () => {
    const [url, mine] = [`${kuadrant.gateway.url}/mcp`, token()]
    const names = async (headers: Record<string, string>) => {
      const { body } = await request(url, mine, 'tools/list', {}, headers)
      return (body['result'] as { tools: { name: string }[] }).tools.map(({ name }) => name)
    }
    const other = list({ 'allowed-capabilities': `{"tools":{"${nameOf('server2')}":["hello_world"]}}` })
    const all = await names({})
    expect(all).toHaveLength(7)
    for (let round = 0; round < 2; round++) {
      expect(await names({ [FIELD]: list() })).toEqual(['test1_greet', 'test3_sum'])
      expect(await names({ [FIELD]: other })).toEqual(['test2_hello_world'])
      expect(await names({ [FIELD]: 'nonsense' })).toEqual([])
      expect(await names({})).toEqual(all)
    }
    const called = await callTool(url, mine, 'test1_time', {}, { [FIELD]: list() })
    expect(called.body).toMatchObject({ error: { code: -32602 } })
    expect((await callTool(url, mine, 'test1_time')).body).toHaveProperty('result')
  })

  it('what it leaves out answers as what does not exist, and the record says why', async () => {
    const before = kuadrant.reached().length
    const hidden = await callTool(at('server1'), token(), 'time', {}, { [FIELD]: list() })
    const unknown = await callTool(at('server1'), token(), 'nothing', {}, { [FIELD]: list() })
    expect([hidden.status, JSON.stringify(hidden.body).replaceAll('time', 'X')]).toEqual([
      unknown.status,
      JSON.stringify(unknown.body).replaceAll('nothing', 'X'),
    ])
    expect(kuadrant.reached()).toHaveLength(before)
    await kuadrant.gateway.audit((all) => all.some(({ reason }) => reason === 'outside_capabilities'))
  })

  it('the older header and the older claim count the same', async () => {
    const older = list({
      'allowed-capabilities': undefined,
      'allowed-tools': JSON.stringify({ [nameOf('server1')]: ['greet'] }),
    })
    expect(await toolsAt('server1', { 'X-Authorized-Tools': older })).toEqual(['greet'])
    expect(await toolsAt('server1', { [FIELD]: older })).toEqual(['greet'])
  })

  it('a list of prompts alone leaves the tools as they are', async () => {
    const prompts = list({ 'allowed-capabilities': JSON.stringify({ prompts: { [nameOf('server1')]: ['greet'] } }) })
    expect(await toolsAt('server1', { [FIELD]: prompts })).toEqual(['greet', 'time'])
    expect(await resultOf('server1', 'prompts', { [FIELD]: prompts })).toEqual([{ name: 'greet' }])
    const none = list({ 'allowed-capabilities': '{"prompts":{}}' })
    const refused = await request(
      at('server1'),
      token(),
      'prompts/get',
      { name: 'greet' },
      {
        'mcp-name': 'greet',
        [FIELD]: none,
      },
    )
    expect(refused.body).toMatchObject({ error: { code: -32602 } })
  })

  it('absent, the caller is not narrowed', async () => {
    expect(await toolsAt('server1')).toEqual(['greet', 'time'])
    expect((await callTool(at('server1'), token(), 'time')).status).toBe(200)
  })

  it.each(BAD)('%s: nothing is listed and nothing can be called', async (_what, made) => {
    const before = kuadrant.reached().length
    for (const id of ['server1', 'server2', 'server3']) {
      const { body } = await request(at(id), token(), 'tools/list', {}, { [FIELD]: made() })
      expect((body['result'] as { tools?: unknown } | undefined)?.tools ?? []).toEqual([])
    }
    const answer = await callTool(at('server1'), token(), 'greet', {}, { [FIELD]: made() })
    expect(answer.body).toHaveProperty('error')
    expect(kuadrant.reached()).toHaveLength(before)
    expect((await callTool(at('server1'), token(), 'greet', {}, { [FIELD]: list() })).status).toBe(200)
  })

  it('one under each name: nothing, though they say the same', async () => {
    const text = list()
    const answer = await callTool(at('server1'), token(), 'greet', {}, { [FIELD]: text, 'x-authorized-tools': text })
    expect(answer.body).toHaveProperty('error')
  })

  it('another spelling of the name was written by somebody behind the proxy: 400', async () => {
    expect((await callTool(at('server1'), token(), 'greet', {}, { X_Mcp_Authorized: list() })).status).toBe(400)
  })

  it('no server sees it', async () => {
    await callTool(at('server1'), token(), 'greet', {}, { [FIELD]: list() })
    const sent = kuadrant.servers.server1.requests.flatMap(({ rawHeaders }) => rawHeaders)
    expect(sent.map((text) => text.toLowerCase())).not.toContain(FIELD)
    expect(sent.join('\n')).not.toContain(list().split('.')[0])
  })

  it('the log says that a list does not count, and not what was in it', async () => {
    const text = list({ iss: 'mallory-the-third' })
    await callTool(at('server1'), token(), 'greet', {}, { [FIELD]: text })
    expect(kuadrant.gateway.log.join('\n')).toContain('issuer_mismatch')
    expect(kuadrant.gateway.log.join('\n')).not.toContain(text)
  })
})

describe('-enforce-capability-filtering (auth.capabilities.required)', () => {
  beforeAll(async () => {
    kuadrant = await startKuadrant({
      auth: { capabilities: { publicKey: PEM, required: true } },
      server: { trustedProxies: ['127.0.0.1'] },
    })
  })
  afterAll(() => kuadrant?.close())

  it('without a list nothing is there; with one, what it names', async () => {
    expect((await callTool(at('server1'), token(), 'greet')).body).toHaveProperty('error')
    expect(await toolsAt('server1', { [FIELD]: list() })).toEqual(['greet', 'headers'])
  })

  it('a list of prompts alone names no tool', async () => {
    const prompts = list({ 'allowed-capabilities': JSON.stringify({ prompts: { [nameOf('server1')]: ['greet'] } }) })
    expect((await callTool(at('server1'), token(), 'greet', {}, { [FIELD]: prompts })).body).toHaveProperty('error')
    expect(await toolsAt('server1', { [FIELD]: prompts })).toEqual([])
  })
})

describe('a peer that is no trusted proxy', () => {
  beforeAll(async () => {
    kuadrant = await startKuadrant({
      auth: { capabilities: { publicKey: PEM } },
      server: { trustedProxies: ['192.0.2.1'] },
    })
  })
  afterAll(() => kuadrant?.close())

  it('is not listened to, and the log says what would change that', async () => {
    expect(await toolsAt('server1', { [FIELD]: list() })).toEqual(['greet', 'time', 'headers'])
    expect(kuadrant.gateway.log.join('\n')).toMatch(/X-Mcp-Authorized is ignored\. Add 127\.0\.0\.1/)
  })
})

describe('without a key', () => {
  beforeAll(async () => {
    kuadrant = await startKuadrant({ auth: { capabilities: {} }, server: { trustedProxies: ['127.0.0.1'] } })
  })
  afterAll(() => kuadrant?.close())

  it('no list counts, whoever signed it', async () => {
    expect((await callTool(at('server1'), token(), 'greet', {}, { [FIELD]: list() })).body).toHaveProperty('error')
    expect((await callTool(at('server1'), token(), 'greet')).status).toBe(200)
  })
})

describe('where nobody configured lists', () => {
  beforeAll(async () => {
    kuadrant = await startKuadrant({ server: { trustedProxies: ['127.0.0.1'] } })
  })
  afterAll(() => kuadrant?.close())

  it('the header is neither read nor sent', async () => {
    expect((await callTool(at('server1'), token(), 'greet', {}, { [FIELD]: 'anything' })).status).toBe(200)
    const sent = kuadrant.servers.server1.requests.flatMap(({ rawHeaders }) => rawHeaders)
    expect(sent.map((text) => text.toLowerCase())).not.toContain(FIELD)
  })
})

describe('the file of the key', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-list-key-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const start = (publicKey: string) => startGateway({ auth: { capabilities: { publicKey } } })

  it('is read at the start', async () => {
    const path = join(folder, 'good.pem')
    writeFileSync(path, PEM)
    await (await start(path)).close()
  })

  it.each([
    ['that is not there', undefined, 'cannot be read. Check its path.'],
    ['that holds no key', 'a-public-key', 'Write the EC P-256 public key as PEM'],
    [
      'with a private key',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      'it is a private key',
    ],
  ])('one %s refuses the start, with its place and a remedy', async (_what, text, said) => {
    const path = join(folder, `${said.length}.pem`)
    if (text !== undefined) writeFileSync(path, text)
    await expect(start(path)).rejects.toThrow(`auth.capabilities.publicKey: ${path}`)
    await expect(start(path)).rejects.toThrow(said)
  })
})
