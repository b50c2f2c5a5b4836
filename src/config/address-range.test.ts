import { describe, expect, it } from 'vitest'
import { addressMatcher } from '../http/client-address.ts'
import { isAddressRange } from './address-range.ts'

describe('isAddressRange', () => {
  it.each(['10.0.0.0/8', '127.0.0.1', '0.0.0.0/0', 'fd00::/8', '::1', '2001:db8::/128'])('takes %s', (range) => {
    expect(isAddressRange(range)).toBe(true)
    expect(() => addressMatcher([range])).not.toThrow()
  })

  it.each([
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/',
    '10.0.0/8',
    '10.0.0.0/8/8',
    'proxy.internal',
    '',
    '/8',
    'fe80::1%eth0/64',
    '10.0.0.0/-1',
  ])('refuses %j', (range) => {
    expect(isAddressRange(range)).toBe(false)
  })
})
