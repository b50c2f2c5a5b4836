import { X509Certificate } from 'node:crypto'
import { expect, it } from 'vitest'
import { createAuthority } from '../../test/support/authority.ts'
import { parseRevokedSerials, serialOf } from './revocation-list.ts'

const authority = createAuthority('Lists')
const issued = [authority.issue(), authority.issue(), authority.issue()]
const serials = issued.map(({ cert }) => serialOf(new X509Certificate(cert)))

it('holds what was revoked, in the spelling of a certificate', () => {
  expect(parseRevokedSerials(authority.revoke(issued.slice(0, 2)))).toEqual(serials.slice(0, 2))
})

it('holds nothing when nothing was revoked', () => {
  expect(parseRevokedSerials(authority.revoke([]))).toEqual([])
})

it('holds thousands, whose lengths take several bytes', () => {
  const many = Array.from({ length: 1500 }, () => issued[2] ?? authority.issue())
  expect(new Set(parseRevokedSerials(authority.revoke(many)))).toEqual(new Set([serials[2]]))
})

it.each(['', 'hello', '-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----', authority.cert])(
  'a text that is no list holds nothing: %#',
  (text) => {
    expect(parseRevokedSerials(text)).toEqual([])
  },
)

it('a number is the same with and without leading zeros', () => {
  expect(['00AB', 'ab', '0ab'].map((serialNumber) => serialOf({ serialNumber }))).toEqual(['ab', 'ab', 'ab'])
})
