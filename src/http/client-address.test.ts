import { describe, expect, it } from 'vitest'
import { addressMatcher, clientAddress } from './client-address.ts'

const trusted = addressMatcher(['10.0.0.0/8', 'fd00::/8'])

describe('the client behind trusted proxies', () => {
  it.each([
    ['10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['10.1.2.3', '127.0.0.1, 203.0.113.9, 10.9.9.9', '203.0.113.9'],
    ['10.1.2.3', '203.0.113.9:4711', '203.0.113.9'],
    ['10.1.2.3', '[2001:db8::1]:4711', '2001:db8::1'],
    ['fd00::1%eth0', '203.0.113.9', '203.0.113.9'],
  ])('%s says %s: %s', (peer, chain, expected) => {
    expect(clientAddress(peer, chain, trusted)).toBe(expected)
  })
  it.each([
    ['10.1.2.3', 'junk', '10.1.2.3'],
    ['10.1.2.3', '203.0.113.9, junk', '10.1.2.3'],
    ['10.1.2.3', `${'1.1.1.1,'.repeat(5000)}2.2.2.2`, '10.1.2.3'],
    ['::ffff:10.1.2.3', undefined, '10.1.2.3'],
    ['unix', '10.9.9.9', 'unix'],
  ])('believes nothing more of %s with %s', (peer, chain, expected) => {
    expect(clientAddress(peer, chain, trusted)).toBe(expected)
  })
  it('trusts nobody when nothing is configured', () => {
    expect(addressMatcher([])('127.0.0.1')).toBe(false)
  })
  it('leaves peers that no address tells to others', () => {
    const mixed = addressMatcher(['unix', 'certificate:edge', '10.0.0.0/8'])
    expect([mixed('10.0.0.5'), mixed('::ffff:10.0.0.5'), mixed('unix'), mixed('')]).toEqual([true, true, false, false])
    expect(addressMatcher(['unix'])('127.0.0.1')).toBe(false)
  })
})
