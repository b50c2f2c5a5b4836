// Which addresses are on the public internet: the IANA special-purpose registries (RFC 6890), and every way IPv6 can wrap an IPv4 address.
import { BlockList, isIP, isIPv4 } from 'node:net'

const SPECIAL_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const

// Inside 2000::/3 only. Everything outside it (mapped, compatible, NAT64, unique local, link and site local, multicast) is refused as a whole.
const SPECIAL_V6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
] as const

const special = new BlockList()
for (const [network, prefix] of SPECIAL_V4) special.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of SPECIAL_V6) special.addSubnet(network, prefix, 'ipv6')
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

/** `address` as a resolver or a URL host without brackets gives it. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !special.check(address, 'ipv4')
  if (family !== 6 || address.includes('%')) return false
  const groups = expandGroups(address)
  // RFC 6052 §2.1: behind DNS64 a public IPv4 host has no other address; RFC 8215's local prefix is never public.
  if (groups.slice(0, 6).join(':') === '64:ff9b:0:0:0:0') return isPublicAddress(embeddedV4(groups))
  // RFC 5214 §6.1: an ISATAP interface identifier carries an IPv4 address under any prefix.
  if (groups[5] === '5efe' && (groups[4] === '0' || groups[4] === '200')) return false
  return globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6')
}

export function isLoopbackAddress(address: string): boolean {
  return (
    (isIPv4(address) && address.startsWith('127.')) ||
    (isIP(address) === 6 && expandGroups(address).join(':') === '0:0:0:0:0:0:0:1')
  )
}

/** Eight groups of hexadecimal without leading zeros. The URL parser writes an embedded IPv4 tail as two groups. */
export function expandGroups(address: string): string[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const left = head === '' ? [] : head.split(':')
  if (tail === undefined) return left
  const right = tail === '' ? [] : tail.split(':')
  return [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
}

export function embeddedV4(groups: readonly string[]): string {
  const bits = (Number.parseInt(groups[6] ?? '0', 16) << 16) | Number.parseInt(groups[7] ?? '0', 16)
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.')
}
