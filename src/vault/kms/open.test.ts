// Every kind of key wraps and unwraps through its service, tells a wrong key from a service that is away, and hands no name of a person on.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type KeyServices, startKeyServices } from '../../../test/support/kms.ts'
import type { VaultKeyConfig } from '../../config/vault.ts'
import { outboundFetch } from '../../http/outbound.ts'
import { OperatorError } from '../../protocol/errors.ts'
import { systemNames } from '../../upstreams/network/names.ts'
import { NotUnwrapped } from '../wrapping-key.ts'
import { openWrappingKey } from './open.ts'
import { loadPackage } from './optional-package.ts'

let services: KeyServices
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-kms-'))
})
beforeEach(async () => {
  await services?.close()
  services = await startKeyServices()
})
afterAll(async () => {
  await services.close()
  rmSync(folder, { recursive: true })
})

const post = outboundFetch({ allowLoopback: true, configured: true, maxBytes: 65_536, resolve: systemNames() })
const open = (config: VaultKeyConfig) => openWrappingKey(config, { load: (name) => services.load(name), post })

const dataKey = Buffer.alloc(32, 7)
const context = Buffer.from('the place of ann@example.com')

const transit = (given: object = {}) =>
  ({
    id: 'k',
    type: 'vault-transit',
    url: services.url,
    mount: 'transit',
    key: 'portcullis',
    token: 'transit-token',
    ...given,
  }) as const

const REMOTE: Readonly<Record<string, () => VaultKeyConfig>> = {
  'aws-kms': () => ({ id: 'k', type: 'aws-kms', key: 'alias/portcullis', region: 'eu-central-1' }),
  'gcp-kms': () => ({ id: 'k', type: 'gcp-kms', key: 'projects/p/locations/l/keyRings/r/cryptoKeys/c' }),
  'azure-key-vault': () => ({
    id: 'k',
    type: 'azure-key-vault',
    key: 'https://gate.vault.azure.net/keys/portcullis/1',
    algorithm: 'RSA-OAEP-256',
  }),
  'vault-transit': () => transit(),
}

describe.each(Object.entries(REMOTE))('%s', (kind, configOf) => {
  it('unwraps what it wrapped', async () => {
    const key = await open(configOf())
    const wrapped = await key.wrap(dataKey, context)
    expect(wrapped.includes(dataKey)).toBe(false)
    expect(await key.unwrap(wrapped, context)).toEqual(dataKey)
  })

  it('tells a wrong key and altered bytes from a service that is away', async () => {
    const key = await open(configOf())
    const wrapped = await key.wrap(dataKey, context)
    const altered = Buffer.from(wrapped)
    const at = altered.length - 6
    altered[at] = altered[at] === 65 ? 66 : 65
    await expect(key.unwrap(altered, context)).rejects.toThrow(NotUnwrapped)
    services.down = true
    const away = await key.unwrap(wrapped, context).catch((error: unknown) => error)
    expect(away).toBeInstanceOf(Error)
    expect(away).not.toBeInstanceOf(NotUnwrapped)
    await expect(key.wrap(dataKey, context)).rejects.toThrow()
    services.down = false
    expect(await key.unwrap(wrapped, context)).toEqual(dataKey)
    services.replaceKey()
    await expect(key.unwrap(wrapped, context)).rejects.toThrow(NotUnwrapped)
  })

  it('says nobody’s name to the service in clear', async () => {
    const key = await open(configOf())
    await key.unwrap(await key.wrap(dataKey, context), context)
    expect(services.asked).toHaveLength(2)
    expect(JSON.stringify(services.asked)).not.toContain('ann@example.com')
  })

  it('keeps to the context, where its service can', async () => {
    const key = await open(configOf())
    const wrapped = await key.wrap(dataKey, context)
    const elsewhere = key.unwrap(wrapped, Buffer.from('another place'))
    if (kind === 'azure-key-vault') expect(await elsewhere).toEqual(dataKey)
    else await expect(elsewhere).rejects.toThrow(NotUnwrapped)
  })
})

describe('a package that is not there', () => {
  const missing = { load: loadPackage, post }

  it.each([
    ['aws-kms', '@aws-sdk/client-kms'],
    ['gcp-kms', '@google-cloud/kms'],
    ['azure-key-vault', '@azure/keyvault-keys'],
  ])('of %s is named: %s', async (kind, name) => {
    const config = REMOTE[kind]?.()
    if (config === undefined) throw new Error(`no such kind: ${kind}`)
    const error = await openWrappingKey(config, missing).catch((refused: unknown) => refused)
    expect(error).toBeInstanceOf(OperatorError)
    expect(String(error)).toContain(`needs the package ${name}, which is not installed`)
  })

  it('is told from one that lacks what is used, and from one that breaks', async () => {
    const aws = { id: 'k', type: 'aws-kms', key: 'alias/x' } as const
    const old = { ...missing, load: async () => ({ KMSClient: class {} }) }
    await expect(openWrappingKey(aws, old)).rejects.toThrow(/lacks what is used of it/)
    const broken = { ...missing, load: () => Promise.reject(new SyntaxError('broken')) }
    await expect(openWrappingKey(aws, broken)).rejects.toThrow(SyntaxError)
  })
})

describe('vault-transit', () => {
  it('says in whose words it was refused, and never its token', async () => {
    for (const [given, words] of [
      [{ token: 'wrong-token' }, 'permission denied'],
      [{ key: 'other' }, 'encryption key not found'],
    ] as const) {
      const error = await (await open(transit(given))).wrap(dataKey, context).catch((refused: unknown) => refused)
      expect(String(error)).toContain(words)
      expect(String(error)).not.toContain('token')
      expect(error).not.toBeInstanceOf(NotUnwrapped)
    }
  })

  it('reads its token from a file at each use', async () => {
    const tokenFile = join(folder, 'token')
    const { token: _, ...config } = transit({ tokenFile })
    const key = await open(config)
    await expect(key.wrap(dataKey, context)).rejects.toThrow(/tokenFile .* cannot be read/)
    writeFileSync(tokenFile, 'wrong\n')
    await expect(key.wrap(dataKey, context)).rejects.toThrow(/permission denied/)
    writeFileSync(tokenFile, 'transit-token\n')
    expect(await key.unwrap(await key.wrap(dataKey, context), context)).toEqual(dataKey)
  })

  it('does not send on what is no ciphertext of its form', async () => {
    const key = await open(transit())
    await expect(key.unwrap(Buffer.from('../../sys/seal'), context)).rejects.toThrow(NotUnwrapped)
    expect(services.asked).toEqual([])
  })
})

describe('keys of our own', () => {
  it('from a file and from a variable are the same key', async () => {
    const [path, value] = [join(folder, 'key'), randomBytes(32).toString('base64')]
    await expect(open({ id: 'k', type: 'file', path })).rejects.toThrow(/there is no file .*openssl rand -base64 32/)
    writeFileSync(path, `${value}\n`, { mode: 0o600 })
    const [file, env] = [await open({ id: 'k', type: 'file', path }), await open({ id: 'k', type: 'env', value })]
    expect(await env.unwrap(await file.wrap(dataKey, context), context)).toEqual(dataKey)
  })
})
