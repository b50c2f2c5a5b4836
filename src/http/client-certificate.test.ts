import { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { createAuthority, type Wish } from '../../test/support/authority.ts'
import { describeCertificate, findRefusal } from './client-certificate.ts'

const authority = createAuthority('Clients')
const shows = (wish: Wish | undefined, verdict: { authorized: boolean; authorizationError?: string }) =>
  ({
    ...verdict,
    getPeerX509Certificate: () => wish && new X509Certificate(authority.issue(wish).cert),
  }) as unknown as TLSSocket
const reasonOf = (socket: TLSSocket, required = false) =>
  findRefusal(socket, { required, authorities: [authority.cert] })?.reason
const refused = (authorizationError: string) => ({ authorized: false, authorizationError })

describe('a connection is refused', () => {
  it('when its certificate expired between two handshakes of one session', () => {
    expect(reasonOf(shows({ from: -3, until: -1 }, { authorized: true }))).toBe('certificate_expired')
    expect(reasonOf(shows({}, { authorized: true }))).toBeUndefined()
  })

  it('without a certificate only where one is required', () => {
    const none = shows(undefined, refused('UNABLE_TO_GET_ISSUER_CERT'))
    expect([reasonOf(none), reasonOf(none, true)]).toEqual([undefined, 'certificate_missing'])
  })

  it.each([
    ['CERT_HAS_EXPIRED', 'certificate_expired'],
    ['CERT_NOT_YET_VALID', 'certificate_not_yet_valid'],
    ['CERT_REVOKED', 'certificate_revoked'],
    ['INVALID_PURPOSE', 'certificate_wrong_usage'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'certificate_authority_unknown'],
    ['CRL_HAS_EXPIRED', 'certificate_revocation_unknown'],
    ['PATH_LENGTH_EXCEEDED', 'certificate_invalid'],
    ['something new', 'certificate_invalid'],
  ])('for the verdict %s', (verdict, reason) => {
    expect(reasonOf(shows({}, refused(verdict)))).toBe(reason)
  })
})

it('its name for the log is short, and the first there is', () => {
  const name = (wish: Wish) => describeCertificate(shows(wish, { authorized: false }))
  expect(name({ subject: 'ann', sans: { dns: ['a.example'], uri: ['spiffe://example.org/a'] } })).toBe(
    'spiffe://example.org/a',
  )
  expect(name({ subject: 'ann' })).toBe('CN=ann')
  expect(name({ subject: 'x'.repeat(1000) })).toHaveLength(300)
  expect(describeCertificate(shows(undefined, { authorized: false }))).toBeUndefined()
})
