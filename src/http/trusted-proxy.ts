// Who is a trusted proxy (`server.trustedProxies`): by address, by our unix socket, or by a name in the certificate that it showed.
import type { Socket } from 'node:net'
import { parseSocketPath } from '../config/listen.ts'
import { readNames } from '../protocol/certificate-names.ts'
import { addressMatcher, plainAddress } from './client-address.ts'
import { peerCertificate } from './client-certificate.ts'

const UNIX_PEER = 'unix'
const BY_CERTIFICATE = 'certificate:'

export interface TrustedProxies {
  /** Address of the peer, or `unix`; empty when it is gone. */
  peerOf(socket: Socket): string
  /** The peer of a connection may speak for others. */
  isTrusted(socket: Socket): boolean
  /** One of the addresses it speaks of is a proxy as well. Only a range can say so: nobody there showed anything. */
  isTrustedAddress(address: string): boolean
}

export function trustedProxies(entries: readonly string[], listen: string): TrustedProxies {
  const isTrustedAddress = addressMatcher(entries)
  const isNamed = certificateMatcher(entries)
  // One listener has one kind of peer; told by it, since the address of a TCP peer that is gone is missing as well.
  const throughFile = parseSocketPath(listen) !== undefined
  const trustsFile = entries.includes(UNIX_PEER)
  return {
    peerOf: (socket) => (throughFile ? UNIX_PEER : plainAddress(socket.remoteAddress ?? '')),
    isTrusted: (socket) => (throughFile ? trustsFile : isTrustedAddress(socket.remoteAddress ?? '')) || isNamed(socket),
    isTrustedAddress,
  }
}

function certificateMatcher(entries: readonly string[]): (socket: Socket) => boolean {
  const names = entries
    .filter((entry) => entry.startsWith(BY_CERTIFICATE))
    .map((entry) => entry.slice(BY_CERTIFICATE.length))
  if (names.length === 0) return () => false
  const answers = new WeakMap<Socket, boolean>()
  return (socket) => {
    const known = answers.get(socket)
    if (known !== undefined) return known
    const shown = namesShown(socket)
    const answer = names.some((name) => shown.includes(name))
    answers.set(socket, answer)
    return answer
  }
}

/** Compared whole: a wildcard in a certificate is no name, and neither is a part of one. */
function namesShown(socket: Socket): readonly string[] {
  const certificate = peerCertificate(socket)
  if (certificate === undefined) return []
  const { uris, dnsNames, emails, subject = [] } = readNames(certificate)
  const commonNames = subject.filter(({ type }) => type === 'CN').map(({ value }) => value)
  return [...uris, ...dnsNames, ...emails, ...commonNames]
}
