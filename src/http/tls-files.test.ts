import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, createAuthority, type Issued } from '../../test/support/authority.ts'
import type { TlsConfig } from '../config/server.ts'
import { OperatorError } from '../protocol/errors.ts'
import { findDateFlaw, readTlsFiles } from './tls-files.ts'

let folder: string
let authority: Authority
let own: Issued

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-tls-'))
  authority = createAuthority('Test authority')
  own = authority.issue({ subject: 'gate', usage: 'server' })
})
afterAll(() => rmSync(folder, { recursive: true }))

let written = 0
function file(text: string): string {
  const path = join(folder, `${written++}.pem`)
  writeFileSync(path, text)
  return path
}

const tls = (files: Partial<Record<'cert' | 'key' | 'clientCa' | 'crl', string>> = {}): TlsConfig => ({
  cert: file(own.cert),
  key: file(own.key),
  clientCert: 'optional',
  minVersion: 'TLSv1.2',
  ...files,
})
const flawOf = (config: TlsConfig): string => {
  try {
    readTlsFiles(config)
  } catch (error) {
    expect(error).toBeInstanceOf(OperatorError)
    expect(error).toMatchObject({ exitCode: 78 })
    return String((error as Error).message)
  }
  return 'taken'
}

describe('files that fit are taken', () => {
  it('a certificate and its key, authorities and revocation lists one by one', () => {
    const second = createAuthority('Second')
    const files = readTlsFiles(
      tls({
        clientCa: file(`# two authorities\n${authority.cert}\n${second.cert}`),
        crl: file(authority.revoke([]) + second.revoke([own])),
      }),
    )
    expect([files.ca?.length, files.crl?.length]).toEqual([2, 2])
    expect(files.key).toBe(own.key)
  })

  it('a chain, our own certificate first', () => {
    const below = authority.below('Below')
    const leaf = below.issue({ usage: 'server' })
    expect(readTlsFiles(tls({ cert: file(leaf.cert + below.cert), key: file(leaf.key) })).cert).toContain(below.cert)
  })
})

describe('a file that does not fit is named with its setting and the cure', () => {
  it.each<[string, string, RegExp, () => Parameters<typeof tls>[0]]>([
    ['a missing certificate', 'cert', /no such file.*Check the path/, () => ({ cert: join(folder, 'none.pem') })],
    ['a folder', 'key', /EISDIR/, () => ({ key: folder })],
    ['text that is no PEM', 'cert', /no certificate that can be read/, () => ({ cert: file('hello') })],
    ['an empty file', 'cert', /no certificate that can be read/, () => ({ cert: file('') })],
    [
      'a certificate cut off in the middle',
      'cert',
      /no certificate that can be read/,
      () => ({ cert: file(own.cert.slice(0, 300)) }),
    ],
    ['key and certificate exchanged', 'cert', /exchanged/, () => ({ cert: file(own.key), key: file(own.cert) })],
    ['a key that is none', 'key', /no private key/, () => ({ key: file(own.cert) })],
    [
      'the key of another certificate',
      'key',
      /does not belong to the certificate in .*\.pem/,
      () => ({ key: file(authority.issue().key) }),
    ],
    [
      'a chain in the wrong order',
      'key',
      /our own certificate must be the first/,
      () => ({ cert: file(authority.cert + own.cert) }),
    ],
    ['an authority that is none', 'clientCa', /BEGIN CERTIFICATE/, () => ({ clientCa: file(own.key) })],
    [
      'an authority of wrong bytes',
      'clientCa',
      /no certificate that can be read/,
      () => ({ clientCa: file('-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n') }),
    ],
    ['a revocation list that is none', 'crl', /BEGIN X509 CRL/, () => ({ crl: file(authority.cert) })],
    [
      'a revocation list of wrong bytes',
      'crl',
      /cannot be used/,
      () => ({ crl: file('-----BEGIN X509 CRL-----\naGVsbG8=\n-----END X509 CRL-----\n') }),
    ],
  ])('%s', (_what, setting, message, files) => {
    const config = tls(files())
    const said = flawOf(config)
    expect(said).toContain(`${config[setting as 'cert']}  server.tls.${setting}\n`)
    expect(said).toMatch(message)
    expect(said).not.toContain('PRIVATE KEY')
    expect(flawOf(tls())).toBe('taken')
  })

  it('a key with a pass phrase', () => {
    const lock = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' } as const
    const key = file(String(createPrivateKey(own.key).export(lock)))
    expect(flawOf(tls({ key }))).toMatch(/pass phrase.*openssl pkey/)
  })
})

it('dates of our own certificate that are not those of today are told', () => {
  const files = (wish: { from?: number; until?: number }) => {
    const { cert, key } = authority.issue({ usage: 'server', ...wish })
    return readTlsFiles(tls({ cert: file(cert), key: file(key) }))
  }
  expect(findDateFlaw(files({ from: -3, until: -1 }), Date.now())).toMatch(/^expired 20/)
  expect(findDateFlaw(files({ from: 1, until: 3 }), Date.now())).toMatch(/^not valid before 20/)
  expect(findDateFlaw(files({}), Date.now())).toBeUndefined()
})
