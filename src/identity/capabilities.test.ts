// The signed list of what a caller may use: each forgery differs from what counts in one thing, and allows nothing at all.
import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { knock } from '../../test/support/edge-way.ts'
import { type Bent, signedBy, signingKey } from '../../test/support/issuer.ts'
import { type CapabilitiesConfig, capabilities } from '../config/capabilities.ts'
import { ANONYMOUS, type Capabilities } from '../protocol/principal.ts'
import { capabilitiesReader, narrowing } from './capabilities.ts'

const KEY = signingKey('k')
const LIST = {
  tools: { 'mcp-test/server1-route': ['greet', 'time'] },
  prompts: { 'mcp-test/server1-route': ['hello'] },
}
const TOOLS = new Map([['mcp-test/server1-route', new Set(['greet', 'time'])]])
const PROMPTS = new Map([['mcp-test/server1-route', new Set(['hello'])]])
const NOTHING = { tools: new Map(), prompts: new Map() }

const seconds = () => Math.floor(Date.now() / 1000)
const claims = (more: object = {}) => ({
  iss: 'authorino',
  iat: seconds(),
  exp: seconds() + 300,
  'allowed-capabilities': JSON.stringify(LIST),
  ...more,
})
const list = (bent: Bent = {}, more: object = {}) => signedBy(bent.key ?? KEY, { typ: 'JWT' }, claims(more), bent)
const says = (text: unknown) => list({}, { 'allowed-capabilities': text })
const saysOlder = (text: unknown) => list({}, { 'allowed-capabilities': undefined, 'allowed-tools': text })

function open(settings: Partial<CapabilitiesConfig> = {}, key: typeof KEY | null = KEY) {
  const told: string[] = []
  const opened = { now: Date.now(), told }
  const read = capabilitiesReader({
    config: { ...capabilities.parse({}), ...settings },
    key: key?.publicKey,
    clock: () => opened.now,
    onRefused: (reason) => told.push(reason),
    onUntrusted: (peer) => told.push(`untrusted ${peer}`),
  })
  return Object.assign(opened, {
    read: async (fields: Readonly<Record<string, string | readonly string[]>>, trusted = true) =>
      read(knock(fields, trusted)),
    readNow: (fields: Readonly<Record<string, string>>) => read(knock(fields)),
  })
}
const narrowedBy = (text: string, settings: Partial<CapabilitiesConfig> = {}) =>
  open(settings).read({ 'X-Mcp-Authorized': text })

describe('a list that counts', () => {
  it('names tools and prompts by server', async () => {
    expect(await narrowedBy(list())).toEqual({ tools: TOOLS, prompts: PROMPTS })
  })

  it('under its older names: header, claim, or both', async () => {
    expect(await open().read({ 'X-Authorized-Tools': list() })).toEqual({ tools: TOOLS, prompts: PROMPTS })
    expect(await narrowedBy(saysOlder(JSON.stringify(LIST.tools)))).toEqual({ tools: TOOLS })
    expect(await open().read({ 'x-authorized-tools': saysOlder(JSON.stringify(LIST.tools)) })).toEqual({ tools: TOOLS })
  })

  it('in a header of one’s own, which the older one is not beside', async () => {
    const own = open({ header: 'X-Allowed' })
    expect(await own.read({ 'x-allowed': list() })).toEqual({ tools: TOOLS, prompts: PROMPTS })
    expect(await own.read({ 'x-authorized-tools': list(), 'x-mcp-authorized': list() })).toBeUndefined()
  })

  it('leaves open the kind that it does not name, unless lists are required', async () => {
    const prompts = says(JSON.stringify({ prompts: LIST.prompts }))
    expect(await narrowedBy(prompts)).toEqual({ prompts: PROMPTS })
    expect(await narrowedBy(prompts, { required: true })).toEqual({ tools: new Map(), prompts: PROMPTS })
    const tools = saysOlder(JSON.stringify(LIST.tools))
    expect(await narrowedBy(tools, { required: true })).toEqual({ tools: TOOLS, prompts: new Map() })
  })

  it('that is empty allows nothing, in whichever form', async () => {
    expect(await narrowedBy(says('{}'))).toEqual(NOTHING)
    expect(await narrowedBy(says('{"tools":{},"prompts":null}'))).toEqual(NOTHING)
    expect(await narrowedBy(saysOlder('{}'))).toEqual({ tools: new Map() })
    const none = new Map([['a/b', new Set()]])
    expect(await narrowedBy(says('{"tools":{"a/b":[]}}'))).toEqual({ tools: none })
    expect(await narrowedBy(says('{"tools":{"a/b":null}}'))).toEqual({ tools: none })
  })

  it('is proved once, until it ends', async () => {
    const opened = open()
    const text = list()
    await opened.read({ 'X-Mcp-Authorized': text })
    expect(opened.readNow({ 'X-Mcp-Authorized': text })).toEqual({ tools: TOOLS, prompts: PROMPTS })
    opened.now += 306_000
    expect(await opened.read({ 'X-Mcp-Authorized': text })).toEqual(NOTHING)
    expect(opened.told).toEqual(['expired'])
  })

  it('for one of the audiences that are asked for', async () => {
    expect(await narrowedBy(list({}, { aud: ['gate'] }), { audience: ['other', 'gate'] })).toEqual({
      tools: TOOLS,
      prompts: PROMPTS,
    })
  })

  it('server names are data: none of them is a property that anything has', async () => {
    const said = (await narrowedBy(says('{"tools":{"__proto__":["x"],"constructor":["y"]}}'))) as Capabilities
    expect([...(said.tools?.keys() ?? [])]).toEqual(['__proto__', 'constructor'])
    expect(said.tools?.get('toString')).toBeUndefined()
  })
})

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const tampered = () => {
  const [head, , signature] = list().split('.')
  const body = Buffer.from(JSON.stringify(claims({ 'allowed-capabilities': '{"tools":{"a/b":["*"]}}' })))
  return `${head}.${body.toString('base64url')}.${signature}`
}

describe('what allows nothing', () => {
  it.each<[string, () => string, string]>([
    ['a list that was changed', tampered, 'bad_signature'],
    ['of another key', () => list({ key: signingKey('k') }), 'bad_signature'],
    ['without a signature', () => `${list().split('.').slice(0, 2).join('.')}.`, 'malformed'],
    ['alg none', () => list({ header: { alg: 'none' } }), 'algorithm'],
    [
      'RS256',
      () => list({ header: { alg: 'RS256' }, signature: (input) => sign('sha256', input, rsa.privateKey) }),
      'algorithm',
    ],
    [
      'ES384',
      () =>
        list({
          header: { alg: 'ES384' },
          signature: (input) => sign('sha384', input, { key: p384.privateKey, dsaEncoding: 'ieee-p1363' }),
        }),
      'algorithm',
    ],
    ['HS256', () => list({ header: { alg: 'HS256' } }), 'algorithm'],
    ['a key it brings along', () => list({ header: { jwk: KEY.jwk } }), 'header_forbidden'],
    ['expired', () => list({}, { exp: seconds() - 10 }), 'expired'],
    ['without an end', () => list({}, { exp: undefined }), 'claim_type'],
    ['not yet valid', () => list({}, { nbf: seconds() + 60 }), 'not_yet_valid'],
    ['of another issuer', () => list({}, { iss: 'somebody' }), 'issuer_mismatch'],
    ['of no issuer', () => list({}, { iss: undefined }), 'issuer_mismatch'],
    ['made for another purpose', () => list({ header: { typ: 'at+jwt' } }), 'token_type'],
    ['without a list', () => says(undefined), 'list_missing'],
    ['two lists', () => list({}, { 'allowed-tools': '{}' }), 'list_twice'],
    ['that is no JSON', () => says('greet,time'), 'list_malformed'],
    ['JSON in place of text', () => says(LIST), 'list_malformed'],
    ['a list in a list', () => says('[]'), 'list_malformed'],
    ['null', () => says('null'), 'list_malformed'],
    ['a server twice', () => says('{"tools":{"a/b":[],"a/b":["greet"]}}'), 'list_malformed'],
    ['names that are no list', () => says('{"tools":{"a/b":"greet"}}'), 'list_malformed'],
    ['a name that is no text', () => says('{"tools":{"a/b":["greet",7]}}'), 'list_malformed'],
    ['tools that are a list', () => says('{"tools":["greet"]}'), 'list_malformed'],
    ['a kind that nobody knows here', () => says('{"tools":{},"resources":{}}'), 'list_malformed'],
    ['the older claim in the newer form', () => saysOlder(JSON.stringify(LIST)), 'list_malformed'],
    ['no JWT', () => 'greet', 'malformed'],
    ['nothing in the header', () => ' ', 'malformed'],
    ['two in one line', () => `${list()}, ${list()}`, 'malformed'],
    ['more than 16 KB', () => says(JSON.stringify({ tools: { 'a/b': ['x'.repeat(16_384)] } })), 'malformed'],
  ])('%s', async (_what, made, reason) => {
    const opened = open()
    expect(await opened.read({ 'X-Mcp-Authorized': made() })).toEqual(NOTHING)
    expect(opened.told).toEqual([reason])
    expect(await opened.read({ 'X-Mcp-Authorized': list() })).toEqual({ tools: TOOLS, prompts: PROMPTS })
  })

  it('several: two lines, or one under each name, though they are the same', async () => {
    const text = list()
    for (const fields of [
      { 'X-Mcp-Authorized': [text, text] },
      { 'X-Mcp-Authorized': text, 'X-Authorized-Tools': text },
    ]) {
      const opened = open()
      expect(await opened.read(fields)).toEqual(NOTHING)
      expect(opened.told).toEqual(['list_twice'])
    }
  })

  it('for another audience, or for none', async () => {
    for (const aud of ['other', undefined])
      expect(await narrowedBy(list({}, { aud }), { audience: 'gate' })).toEqual(NOTHING)
  })

  it('where nobody said whose signature counts', async () => {
    const opened = open({}, null)
    expect(await opened.read({ 'X-Mcp-Authorized': list() })).toEqual(NOTHING)
    expect(opened.told).toEqual(['no_key'])
    expect(await opened.read({})).toBeUndefined()
  })
})

describe('without a list', () => {
  it('nobody is narrowed, unless lists are required', async () => {
    expect(await open().read({})).toBeUndefined()
    expect(await open({ required: true }).read({})).toEqual(NOTHING)
  })

  it('one from a peer that is not trusted is none, and is told', async () => {
    const [open_, closed] = [open(), open({ required: true })]
    expect(await open_.read({ 'X-Mcp-Authorized': list() }, false)).toBeUndefined()
    expect(open_.told).toEqual(['untrusted 192.0.2.1'])
    expect(await closed.read({ 'X-Mcp-Authorized': list() }, false)).toEqual(NOTHING)
  })
})

describe('whoever the chain proved', () => {
  const wanted = { server: 'notes', resources: [] }
  const ann = { ...ANONYMOUS, subject: 'ann' }

  it('is narrowed, at once where all is known', async () => {
    const said: Capabilities = { tools: TOOLS }
    const now = narrowing(
      () => ann,
      () => said,
    )
    expect(now(knock({}), wanted)).toEqual({ ...ann, capabilities: said })
    const later = narrowing(
      async () => ann,
      async () => said,
    )
    expect(await later(knock({}), wanted)).toEqual({ ...ann, capabilities: said })
  })

  it('is the same object where there is no list', () => {
    const authenticate = narrowing(
      () => ann,
      () => undefined,
    )
    expect(authenticate(knock({}), wanted)).toBe(ann)
  })

  it('and a caller who is refused stays refused, whatever the list', async () => {
    const refusal = new Error('no')
    const authenticate = narrowing(
      () => Promise.reject(refusal),
      async () => ({ tools: TOOLS }),
    )
    await expect(authenticate(knock({}), wanted)).rejects.toBe(refusal)
  })
})
