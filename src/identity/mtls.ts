// Identity from a client certificate: the one our own listener verified, or the one that a trusted proxy which ended TLS speaks of.
// RFC 5280 §4.2.1, RFC 9440.
import type { X509Certificate } from 'node:crypto'
import type { MtlsConfig } from '../config/auth.ts'
import { type CertificateNames, parseDistinguishedName, readNames } from '../protocol/certificate-names.ts'
import type { Clock } from '../protocol/clock.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import {
  parseCertificateField,
  parseEncodedCertificate,
  parseForwardedElement,
} from '../protocol/forwarded-certificate.ts'
import { certificateRefused, nameMatcher, nameOf } from './certificate-name.ts'
import type { IsEmailAdmitted, Vouching } from './vouched.ts'
import type { Credentials, TransportWay } from './way.ts'

const FIELDS = { xfcc: 'x-forwarded-client-cert', 'client-cert': 'client-cert' } as const

/** The field that says who is calling; `undefined` where the connection itself does. */
export const certificateField = ({ header }: Pick<MtlsConfig, 'header'>): string | undefined =>
  header === 'none' ? undefined : FIELDS[header]

interface Needs {
  readonly mtls: MtlsConfig
  readonly admit: Vouching['admit']
  readonly isEmailAdmitted: IsEmailAdmitted
  readonly clock: Clock
  /** The field came from a peer that is not trusted, and is not believed. */
  onUntrusted(peer: string): void
}

/** What was shown of a certificate, wherever it was shown. */
interface Shown {
  readonly names: CertificateNames
  readonly expiresAt: number | undefined
}

export function certificateWay({ mtls, admit, isEmailAdmitted, clock, onUntrusted }: Needs): TransportWay {
  const isListed = nameMatcher(mtls.allow)
  return (credentials) => {
    const { transport } = credentials
    const field = certificateField(mtls)
    const lines = field === undefined ? [] : credentials.field(field)
    if (!transport.trusted && lines.length > 0) onUntrusted(transport.peer)
    // A trusted peer's own certificate is the name of the proxy, never that of the caller behind it.
    const shown = transport.trusted ? shownInField(mtls, lines, clock()) : shownByPeer(transport, clock())
    if (shown === undefined) return undefined
    const identity = nameOf(shown.names, mtls.identity)
    // 403, not 401: the certificate is good, its holder is not one of those the gate admits.
    if (!isListed(identity)) throw new RequestError(403, 'not_admitted', 'This certificate is not admitted here.')
    const email = mtls.identity === 'san-email' ? identity : undefined
    return admit(
      {
        kind: email === undefined ? 'service' : 'person',
        method: 'certificate',
        issuer: 'certificate',
        identity,
        email,
        name: undefined,
        groups: mtls.groups,
        roles: [],
        teams: [],
        client: undefined,
        scopes: [],
        scopeRule: 'none',
        tokenId: undefined,
        issuedAt: undefined,
        expiresAt: shown.expiresAt,
      },
      // A machine has no address: the list of names admits it in place of the list of addresses.
      email === undefined && mtls.allow.length > 0 ? () => true : isEmailAdmitted,
    )
  }
}

function shownByPeer(transport: Credentials['transport'], now: number): Shown | undefined {
  const certificate = transport.certificate()
  if (certificate !== undefined) return shownBy(certificate, now)
  const { spiffeId } = transport
  return spiffeId === undefined ? undefined : { names: { ...NO_NAMES, uris: [spiffeId] }, expiresAt: undefined }
}

const NO_NAMES: CertificateNames = { uris: [], dnsNames: [], emails: [], subject: [] }

function shownInField({ header }: MtlsConfig, lines: readonly string[], now: number): Shown | undefined {
  const [line] = lines
  if (line === undefined) return undefined
  // Two lines, one of which somebody else may have written; RFC 9440 §2.2 has one.
  if (lines.length > 1) throw unclear('certificate_header_repeated')
  return header === 'xfcc' ? shownInElement(line, now) : shownBy(readable(parseCertificateField(line)), now)
}

function shownInElement(line: string, now: number): Shown | undefined {
  const { cert, subject, uris, dnsNames } = readable(parseForwardedElement(line))
  // The certificate says it all, and no name in it can end the field early.
  if (cert) return shownBy(readable(parseEncodedCertificate(cert)), now)
  const silent = !subject && uris.length === 0 && dnsNames.length === 0
  if (silent && cert === '') return undefined
  const names = { uris, dnsNames, emails: [], subject: parseDistinguishedName(subject ?? '', ',') }
  return { names, expiresAt: undefined }
}

/** Whoever verified it did so once: a connection may outlive its certificate, and another's word is checked where it can be. */
function shownBy(certificate: X509Certificate, now: number): Shown {
  const { names, from, until, forClients } = factsOf(certificate)
  if (now >= until) throw certificateRefused('certificate_expired')
  if (now < from) throw certificateRefused('certificate_not_yet_valid')
  if (!forClients) throw certificateRefused('certificate_wrong_usage')
  return { names, expiresAt: until }
}

interface Facts {
  readonly names: CertificateNames
  readonly from: number
  readonly until: number
  readonly forClients: boolean
}

const held = new WeakMap<X509Certificate, Facts>()
/** id-kp-clientAuth, anyExtendedKeyUsage. */
const CLIENT_USAGES = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0']

/** Taken out once a certificate: the one of a connection comes with every request. */
function factsOf(certificate: X509Certificate): Facts {
  const known = held.get(certificate)
  if (known !== undefined) return known
  // RFC 5280 §4.2.1.12: without the extension it is good for every purpose.
  const usages: readonly string[] | undefined = certificate.keyUsage
  const facts = {
    names: readNames(certificate),
    from: certificate.validFromDate.getTime(),
    until: certificate.validToDate.getTime(),
    forClients: usages?.some((usage) => CLIENT_USAGES.includes(usage)) ?? true,
  }
  held.set(certificate, facts)
  return facts
}

/** A proxy that we trust writes what can be read; what cannot came from behind it. */
function readable<Read>(found: Read | undefined): Read {
  if (found === undefined) throw unclear('certificate_header_malformed')
  return found
}

const unclear = (reason: string) => new BearerError('invalid_request', reason, 'It is not clear who is calling.')
