// The certificate a client showed in the handshake: what was wrong with it, and what it is called.
import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { formatDistinguishedName, readNames } from '../protocol/certificate-names.ts'

/** For the log, and for the client: an alert would say as much (RFC 8446 §6.2). */
export interface Refusal {
  readonly reason: string
  readonly message: string
}

const UNKNOWN_AUTHORITY = {
  reason: 'certificate_authority_unknown',
  message: 'The client certificate is not signed by an authority that is known here.',
}
const REVOCATION_UNKNOWN = {
  reason: 'certificate_revocation_unknown',
  message: 'Whether the client certificate is revoked cannot be told now.',
}
const EXPIRED = { reason: 'certificate_expired', message: 'The client certificate has expired.' }
const NONE = { reason: 'certificate_missing', message: 'A client certificate is required.' }
const OTHER = { reason: 'certificate_invalid', message: 'The client certificate is not valid.' }

/** By OpenSSL's verdict (X509_V_ERR_…). */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  CERT_HAS_EXPIRED: EXPIRED,
  CERT_NOT_YET_VALID: { reason: 'certificate_not_yet_valid', message: 'The client certificate is not valid yet.' },
  CERT_REVOKED: { reason: 'certificate_revoked', message: 'The client certificate is revoked.' },
  INVALID_PURPOSE: { reason: 'certificate_wrong_usage', message: 'The client certificate is not one for clients.' },
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  CERT_UNTRUSTED: UNKNOWN_AUTHORITY,
  INVALID_CA: UNKNOWN_AUTHORITY,
  // An authority of that name is known, and did not sign it.
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_CRL: REVOCATION_UNKNOWN,
  UNABLE_TO_GET_CRL_ISSUER: REVOCATION_UNKNOWN,
  CRL_HAS_EXPIRED: REVOCATION_UNKNOWN,
  CRL_NOT_YET_VALID: REVOCATION_UNKNOWN,
  CRL_SIGNATURE_FAILURE: REVOCATION_UNKNOWN,
}

/** Why this connection is not served; `undefined` for one whose certificate is good, or that has none where none is required. */
export function findRefusal(
  socket: TLSSocket,
  { required, authorities }: { required: boolean; authorities: readonly string[] },
): Refusal | undefined {
  const certificate = socket.getPeerX509Certificate()
  // A session that is taken up again brings the verdict of its first handshake.
  if (socket.authorized) return certificate !== undefined && isOver(certificate) ? EXPIRED : undefined
  // Without a certificate there is a verdict too: that its issuer was not found.
  if (certificate === undefined) return required ? NONE : undefined
  const refusal = REFUSALS[String(socket.authorizationError)] ?? OTHER
  // OpenSSL tells the last thing it found: where lists are asked for, an unknown authority has none of them either.
  return refusal === REVOCATION_UNKNOWN && !isIssuedBelow(certificate, authorities) ? UNKNOWN_AUTHORITY : refusal
}

const isOver = ({ validToDate }: X509Certificate): boolean => Date.now() >= validToDate.getTime()

const LONGEST_CHAIN = 10

function isIssuedBelow(certificate: X509Certificate, authorities: readonly string[]): boolean {
  const known = authorities.map((text) => new X509Certificate(text))
  let link = certificate
  for (let at = 0; at < LONGEST_CHAIN; at++) {
    if (known.some((authority) => isIssuedBy(link, authority))) return true
    const issuer = link.issuerCertificate
    if (issuer === undefined || !isIssuedBy(link, issuer)) return false
    link = issuer
  }
  return false
}

const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)

const held = new WeakMap<Socket, X509Certificate>()

/** The certificate our own listener verified; parsed once a connection. */
export function peerCertificate(socket: Socket): X509Certificate | undefined {
  const known = held.get(socket)
  if (known !== undefined) return known
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const certificate = socket.getPeerX509Certificate()
  if (certificate !== undefined) held.set(socket, certificate)
  return certificate
}

const LONGEST = 300

/** For the log. Nothing of it is proved where the certificate was refused. */
export function describeCertificate(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  const { subject = [], uris, dnsNames, emails } = readNames(certificate)
  const [name = formatDistinguishedName(subject)] = [...uris, ...dnsNames, ...emails]
  return name.slice(0, LONGEST)
}
