// PEM files that a setting names: read, taken apart and judged before they are used, so that a wrong one names itself. RFC 7468.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { configurationError } from '../config/problems.ts'
import type { OperatorError } from '../protocol/errors.ts'

/** A file, and the setting that names it. */
export interface NamedFile {
  readonly path: string
  readonly setting: string
}

/** Throws OperatorError with the setting, the file and the cure; so do all below. */
function readFile(file: NamedFile): string {
  try {
    return readFileSync(file.path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'There is no such file.' : `It cannot be read (${code}).`
    throw fileFlaw(file, reason, 'Check the path and its permissions for the account of the gate.')
  }
}

export function readBlocks(file: NamedFile, label: string): string[] {
  const blocks = readFile(file).match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g'))
  if (blocks !== null) return blocks
  throw fileFlaw(file, `There is no "BEGIN ${label}" in it.`, 'Write the PEM form, which begins with that line.')
}

export function readAuthorities(file: NamedFile): string[] {
  const authorities = readBlocks(file, 'CERTIFICATE')
  for (const authority of authorities) parseCertificate(file, authority)
  return authorities
}

function parseCertificate(file: NamedFile, text: string): X509Certificate {
  try {
    return new X509Certificate(text)
  } catch {
    const remedy = text.includes('PRIVATE KEY-----')
      ? 'It holds a private key: are cert and key exchanged?'
      : 'Write the PEM file that the authority gave you; `openssl x509 -noout -text -in FILE` must be able to read it.'
    throw fileFlaw(file, 'It holds no certificate that can be read.', remedy)
  }
}

function parseKey(file: NamedFile, text: string, cert: NamedFile): KeyObject {
  try {
    return createPrivateKey(text)
  } catch {
    // RFC 7468 §11, RFC 1421 §4.6.1.1.
    if (text.includes('ENCRYPTED'))
      throw fileFlaw(file, 'The key is locked with a pass phrase.', 'Unlock it: `openssl pkey -in FILE -out NEW`.')
    throw fileFlaw(
      file,
      'It holds no private key that can be read.',
      `Write the PEM file of the key of ${cert.setting}.`,
    )
  }
}

/** A certificate with its chain, and the key that belongs to it. */
export function readPair(certFile: NamedFile, keyFile: NamedFile): { cert: string; key: string } {
  const [cert, key] = [readFile(certFile), readFile(keyFile)]
  if (parseCertificate(certFile, cert).checkPrivateKey(parseKey(keyFile, key, certFile))) return { cert, key }
  const remedy =
    'Write the key that this certificate was asked for with; in a chain our own certificate must be the first.'
  throw fileFlaw(keyFile, `The key does not belong to the certificate in ${certFile.path}.`, remedy)
}

/** What only OpenSSL can tell: a broken list, a key too short for today. */
export function checkUsable(file: NamedFile, files: SecureContextOptions): void {
  try {
    createSecureContext(files)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw fileFlaw(file, `It cannot be used (${reason}).`, 'Have it made anew.')
  }
}

const fileFlaw = ({ path, setting }: NamedFile, message: string, remedy: string): OperatorError =>
  configurationError([{ place: path, setting, message, remedy }])
