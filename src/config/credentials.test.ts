import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { CredentialsConfig } from './credentials.ts'
import { loadConfig } from './load.ts'
import { printConfig } from './print.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-credentials-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function load(credentials: object | string, env: Record<string, string> = {}) {
  const servers = [{ id: 'a', url: 'http://127.0.0.1:9/mcp', credentials }]
  writeFileSync(join(folder, 'portcullis.yaml'), JSON.stringify({ servers }))
  return loadConfig({ env, cwd: folder, resolveHost: async () => ['203.0.113.1'] })
}
async function read(credentials: object, env?: Record<string, string>): Promise<CredentialsConfig | undefined> {
  const [server] = (await load(credentials, env)).config.servers
  return server !== undefined && 'credentials' in server ? server.credentials : undefined
}

describe('a value, or where it is', () => {
  it('is a text, also one that a variable gives', async () => {
    const headers = { 'X-Key': 'plain', 'X-Other': '${KEY}', Authorization: 'Bearer ${KEY}' }
    expect(await read({ type: 'headers', headers }, { KEY: '{not json' })).toEqual({
      type: 'headers',
      headers: { 'X-Key': 'plain', 'X-Other': '{not json', Authorization: 'Bearer {not json' },
      reload: 60_000,
    })
  })

  it('is a place, with texts of its own', async () => {
    const headers = { Authorization: { env: '${NAME}', prefix: 'Bearer ' }, 'X-Key': { file: './key' } }
    expect(await read({ type: 'headers', headers, reload: '5s' }, { NAME: 'TOKEN' })).toMatchObject({
      type: 'headers',
      headers: {
        Authorization: { env: 'TOKEN', prefix: 'Bearer ' },
        'X-Key': { file: join(folder, 'key'), prefix: '' },
      },
      reload: 5000,
    })
  })

  it.each([
    ['a number', 5, 'Write a value, or { file }, { env } or { vault }.'],
    ['a list', ['k'], 'Write a value, or { file }, { env } or { vault }.'],
    ['no place', {}, 'Write one of file, env and vault.'],
    ['two places', { file: './k', env: 'K' }, 'Write one of file, env and vault.'],
    ['an unknown place', { fil: './k' }, 'There is no setting "fil" here. Did you mean "file"?'],
    ['a value that no header can have', 'a\nb', 'A header value has no line break and no control character.'],
  ])('refuses %s', async (_what, value, said) => {
    const loading = load({ type: 'headers', headers: { 'X-Key': value } })
    await expect(loading).rejects.toThrow(/servers\[0\]\.credentials\.headers\.X-Key/)
    await expect(loading).rejects.toThrow(said)
  })

  it('refuses the name of a header that frames the message', async () => {
    await expect(load({ type: 'headers', headers: { Host: 'x' } })).rejects.toThrow(/frames the message/)
  })
})

describe('what they name', () => {
  it('are files from the folder of the configuration', async () => {
    expect(await read({ type: 'headers', headers: { 'X-Key': { file: 'keys/one' } } })).toMatchObject({
      headers: { 'X-Key': { file: join(folder, 'keys/one') } },
    })
    expect(await read({ type: 'query', parameter: 'k', value: { file: './two' } })).toMatchObject({
      value: { file: join(folder, 'two') },
    })
    const vault = { type: 'vault', url: 'http://127.0.0.1:8200', path: 'p/{subject}', field: 'pat' }
    expect(await read({ ...vault, login: { tokenFile: 'three' } })).toMatchObject({
      login: { tokenFile: join(folder, 'three') },
    })
  })

  it.each([
    ['issuer', { type: 'client-credentials', clientId: 'me', issuer: 'http://id.example' }],
    ['tokenUrl', { type: 'token-exchange', clientId: 'me', tokenUrl: 'http://id.example/token' }],
    ['url', { type: 'vault', url: 'http://vault.example', login: { token: 't' }, path: 'p', field: 'f' }],
  ])('is not spoken to in clear: %s', async (key, credentials) => {
    await expect(load(credentials)).rejects.toThrow(
      new RegExp(`servers\\[0\\]\\.credentials\\.${key}[\\s\\S]*is http, and its host is not this machine`),
    )
    const own = Object.fromEntries(
      Object.entries(credentials).map(([name, value]) => [name, name === key ? 'https://id.example' : value]),
    )
    expect(await read(own)).toMatchObject({ [key]: 'https://id.example' })
  })

  it('is a path in Vault with words that are known', async () => {
    const vault = { type: 'vault', url: 'http://127.0.0.1:8200', login: { token: 't' }, field: 'pat' }
    await expect(load({ ...vault, path: 'secret/data/{user}' })).rejects.toThrow(
      'In braces: subject, email, identity or server.',
    )
  })
})

describe('the kinds', () => {
  it('are told by name', async () => {
    await expect(load({ type: 'oauth2' })).rejects.toThrow('Did you mean "oauth"?')
    await expect(load({})).rejects.toThrow(/servers\[0\]\.credentials\.type\s+This setting is required\. One of none/)
  })

  it.each([
    ['client-credentials', { clientId: 'me' }],
    ['token-exchange', { clientId: 'me' }],
    ['on-behalf-of', { clientId: 'me' }],
  ])('%s says where tokens are', async (type, own) => {
    await expect(load({ type, ...own })).rejects.toThrow('Write issuer or tokenUrl.')
    expect(await read({ type, ...own, tokenUrl: 'https://id.example/token' })).toMatchObject({ type })
  })

  it('a login of Vault is one of three', async () => {
    const vault = { type: 'vault', url: 'http://127.0.0.1:8200', path: 'secret/data/{subject}', field: 'pat' }
    await expect(load({ ...vault, login: {} })).rejects.toThrow('One of role, token, tokenFile is required.')
    await expect(load({ ...vault, login: { role: 'gate', token: 't' } })).rejects.toThrow(
      'Only one of role, token, tokenFile can be given.',
    )
    expect(await read({ ...vault, login: { role: 'gate' } })).toMatchObject({
      login: { role: 'gate', mount: 'jwt', with: 'assertion' },
    })
  })
})

describe('config print', () => {
  it.each([
    ['a header', { type: 'headers', headers: { 'X-Key': 'canary' } }],
    ['a place of a header', { type: 'headers', headers: { 'X-Key': { env: 'KEY', prefix: 'canary' } } }],
    ['a query value', { type: 'query', parameter: 'key', value: 'canary' }],
    [
      'a client secret',
      { type: 'client-credentials', tokenUrl: 'https://x/t', clientId: 'me', clientSecret: 'canary' },
    ],
    ['a private key', { type: 'token-exchange', tokenUrl: 'https://x/t', clientId: 'me', privateKey: 'canary' }],
    ['a token of Vault', { type: 'vault', url: 'https://x', login: { token: 'canary' }, path: 'p', field: 'f' }],
  ])('masks %s', async (_what, credentials) => {
    const text = printConfig(await load(credentials))
    expect(text).not.toContain('canary')
    expect(text).toContain('***')
  })
})

describe('a text that stands for more than one thing', () => {
  it('is read as the list that one of its members takes', async () => {
    const read = (text: string) =>
      loadConfig({ env: { PORTCULLIS_PASSTHROUGH_HEADERS: text, PORTCULLIS_CONFIG: 'portcullis.yaml' }, cwd: folder })
    await load({ type: 'none' })
    expect((await read('X-A, X-B')).config.passthrough.headers).toEqual(['X-A', 'X-B'])
    expect((await read('{"allExcept":["X-A"]}')).config.passthrough.headers).toEqual({ allExcept: ['X-A'] })
  })
})
