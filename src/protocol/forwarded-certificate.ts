// What a proxy that ended TLS says of its client's certificate: Envoy's X-Forwarded-Client-Cert, and Client-Cert of RFC 9440. Pure:
// whoever calls has made sure that the proxy said it.
import { X509Certificate } from 'node:crypto'

export interface ForwardedElement {
  /** The certificate itself, where it was sent. Empty when the proxy had none. */
  readonly cert: string | undefined
  /** RFC 4514, as written. */
  readonly subject: string | undefined
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
}

/** `key=value`, with what ends it: `;` another pair, `,` another element. Inside quotes a backslash keeps the next character. */
const PAIR = /[ \t]*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))[ \t]*(;|,|$)/y

/**
 * The last element: the client of the proxy before us. A proxy that appends leaves what it was sent on the left, where anybody may have
 * written it. `undefined` when any part of the field could be read in two ways.
 */
export function parseForwardedElement(value: string): ForwardedElement | undefined {
  let pairs: [string, string][] = []
  let end: string | undefined
  PAIR.lastIndex = 0
  while (end !== '') {
    const match = PAIR.exec(value)
    if (match === null) return undefined
    if (end === ',') pairs = []
    pairs.push([(match[1] ?? '').toLowerCase(), match[2] ?? match[3] ?? ''])
    end = match[4]
  }
  const all = (key: string) => pairs.filter(([name]) => name === key).map(([, text]) => text)
  const [cert, subject] = [all('cert'), all('subject')]
  if (cert.length > 1 || subject.length > 1) return undefined
  return { cert: cert[0], subject: subject[0], uris: all('uri'), dnsNames: all('dns') }
}

const ONE_CERTIFICATE = /^-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/

/** `Cert` of X-Forwarded-Client-Cert: PEM in percent encoding. */
export function parseEncodedCertificate(text: string): X509Certificate | undefined {
  try {
    const pem = decodeURIComponent(text)
    return ONE_CERTIFICATE.test(pem) ? new X509Certificate(pem) : undefined
  } catch {
    // Neither a percent encoding nor a certificate: it says nothing.
    return undefined
  }
}

/** RFC 9440 §2.1: one Item, a Byte Sequence (RFC 8941 §3.3.5) of DER and nothing behind it. */
const BYTE_SEQUENCE = /^[ ]*:([A-Za-z0-9+/]+={0,2}):[ ]*$/

export function parseCertificateField(value: string): X509Certificate | undefined {
  const encoded = BYTE_SEQUENCE.exec(value)?.[1]
  if (encoded === undefined) return undefined
  const der = Buffer.from(encoded, 'base64')
  try {
    const certificate = new X509Certificate(der)
    return certificate.raw.equals(der) ? certificate : undefined
  } catch {
    return undefined
  }
}
