// auth.capabilities as people write it: the key, where it is, and what a start says of a header that is read from nobody in particular.
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-capabilities-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const pemOf = (key: KeyObject): string =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString()
const P256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PEM = pemOf(P256.publicKey)

const load = (
  capabilities: object,
  env: Record<string, string> = {},
  server: object = { trustedProxies: ['10.0.0.1'] },
) => {
  writeFileSync(join(folder, 'portcullis.json'), JSON.stringify({ server, auth: { capabilities } }, null, 2))
  return loadConfig({ env, cwd: folder })
}

describe('the key', () => {
  it('is PEM text, or the path of a file from where the configuration is', async () => {
    expect((await load({ publicKey: PEM })).config.auth.capabilities).toEqual({
      header: 'X-Mcp-Authorized',
      publicKey: PEM,
      issuer: 'authorino',
      required: false,
      clockTolerance: 5000,
    })
    const { config } = await load({ publicKey: 'keys/list.pem' })
    expect(config.auth.capabilities?.publicKey).toBe(join(folder, 'keys/list.pem'))
  })

  it.each<[string, string, RegExp]>([
    ['a private key', pemOf(P256.privateKey), /private key; write the public one/],
    ['another curve', pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey), /of another kind/],
    ['RSA', pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey), /of another kind/],
    ['two keys', PEM + pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey), /2 keys in it/],
    ['one that is cut short', PEM.slice(0, 80), /cut short/],
  ])('%s is refused with its place and what to write', async (_what, publicKey, message) => {
    const loading = load({ publicKey })
    await expect(loading).rejects.toThrow(message)
    await expect(loading).rejects.toThrow(/portcullis\.json:\d+:\d+[\s\S]*auth\.capabilities\.publicKey/)
    await expect(loading).rejects.toThrow(/EC P-256 public key as PEM/)
  })

  it('comes from Kuadrant’s variable as it stands', async () => {
    const { config } = await load({}, { TRUSTED_HEADER_PUBLIC_KEY: PEM })
    expect(config.auth.capabilities?.publicKey?.trim()).toBe(PEM.trim())
  })
})

it('Kuadrant’s flag that is off reads no lists', async () => {
  writeFileSync(join(folder, 'portcullis.json'), '{}')
  const flags = (value: string) => ({ seeds: { 'enforce-capability-filtering': value } })
  const loadWith = (value: string) => loadConfig({ env: {}, cwd: folder, flags: flags(value) })
  expect((await loadWith('false')).config.auth.capabilities).toBeUndefined()
  expect((await loadWith('true')).config.auth.capabilities).toMatchObject({ required: true })
})

describe('what a start says', () => {
  const told = async (capabilities: object, server: object) =>
    (await load(capabilities, {}, server)).warnings.filter((line) => line.includes('auth.capabilities'))

  it('is nothing where a proxy and a key are named', async () => {
    expect(await told({ publicKey: PEM }, { trustedProxies: ['10.0.0.1'] })).toEqual([])
  })

  it('is that no list counts without a key', async () => {
    const [line, ...others] = await told({}, { trustedProxies: ['10.0.0.1'] })
    expect([line, others]).toEqual([expect.stringMatching(/publicKey is not set.*no tool and no prompt/), []])
  })

  it('is whose lists count where no proxy is named', async () => {
    const [line, ...others] = await told({ publicKey: PEM }, {})
    expect([line, others]).toEqual([expect.stringMatching(/from this machine only.*trustedProxies/), []])
  })
})
