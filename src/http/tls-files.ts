// The files of `server.tls`: read together and judged before they are used, so that a wrong one names itself and no connection ends.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { configurationError } from '../config/problems.ts'
import type { TlsConfig } from '../config/server.ts'
import type { OperatorError } from '../protocol/errors.ts'

export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string[] | undefined
  /** One list a text: of several in one file Node would take the first. */
  readonly crl: string[] | undefined
  readonly minVersion: TlsConfig['minVersion']
}

type Setting = 'cert' | 'key' | 'clientCa' | 'crl'

/** Throws OperatorError with the setting, the file and the cure. */
export function readTlsFiles(tls: TlsConfig): TlsFiles {
  const files = {
    cert: read(tls, 'cert'),
    key: read(tls, 'key'),
    ca: tls.clientCa === undefined ? undefined : blocksOf(tls, 'clientCa', 'CERTIFICATE'),
    crl: tls.crl === undefined ? undefined : blocksOf(tls, 'crl', 'X509 CRL'),
    minVersion: tls.minVersion,
  }
  checkPair(tls, files)
  for (const authority of files.ca ?? []) parseCertificate(tls, 'clientCa', authority)
  checkUsable(tls, 'crl', { crl: files.crl })
  checkUsable(tls, 'cert', files)
  return files
}

/** Of our own certificate, for the log: what is wrong with its dates now. */
export function findDateFlaw({ cert }: TlsFiles, now: number): string | undefined {
  const { validFromDate, validToDate } = new X509Certificate(cert)
  if (now >= validToDate.getTime()) return `expired ${validToDate.toISOString()}`
  return now < validFromDate.getTime() ? `not valid before ${validFromDate.toISOString()}` : undefined
}

function read(tls: TlsConfig, setting: Setting): string {
  try {
    return readFileSync(tls[setting] ?? '', 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'There is no such file.' : `It cannot be read (${code}).`
    throw flaw(tls, setting, reason, 'Check the path and its permissions for the account of the gate.')
  }
}

function blocksOf(tls: TlsConfig, setting: Setting, label: string): string[] {
  const blocks = read(tls, setting).match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g'))
  if (blocks !== null) return blocks
  throw flaw(tls, setting, `There is no "BEGIN ${label}" in it.`, 'Write the PEM form, which begins with that line.')
}

function parseCertificate(tls: TlsConfig, setting: Setting, text: string): X509Certificate {
  try {
    return new X509Certificate(text)
  } catch {
    const remedy = text.includes('PRIVATE KEY-----')
      ? 'It holds a private key: are cert and key exchanged?'
      : 'Write the PEM file that the authority gave you; `openssl x509 -noout -text -in FILE` must be able to read it.'
    throw flaw(tls, setting, 'It holds no certificate that can be read.', remedy)
  }
}

function parseKey(tls: TlsConfig, text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch {
    // RFC 7468 §11, RFC 1421 §4.6.1.1.
    if (text.includes('ENCRYPTED'))
      throw flaw(tls, 'key', 'The key is locked with a pass phrase.', 'Unlock it: `openssl pkey -in FILE -out NEW`.')
    throw flaw(
      tls,
      'key',
      'It holds no private key that can be read.',
      'Write the PEM file of the key of server.tls.cert.',
    )
  }
}

function checkPair(tls: TlsConfig, { cert, key }: Pick<TlsFiles, 'cert' | 'key'>): void {
  const certificate = parseCertificate(tls, 'cert', cert)
  if (certificate.checkPrivateKey(parseKey(tls, key))) return
  const remedy =
    'Write the key that this certificate was asked for with; in a chain our own certificate must be the first.'
  throw flaw(tls, 'key', `The key does not belong to the certificate in ${tls.cert}.`, remedy)
}

/** What only OpenSSL can tell: a broken list, a key too short for today. */
function checkUsable(tls: TlsConfig, setting: Setting, files: Partial<TlsFiles>): void {
  try {
    createSecureContext(files)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw flaw(tls, setting, `It cannot be used (${reason}).`, 'Have it made anew.')
  }
}

const flaw = (tls: TlsConfig, setting: Setting, message: string, remedy: string): OperatorError =>
  configurationError([{ place: tls[setting] ?? '', setting: `server.tls.${setting}`, message, remedy }])
