// What kind of place an address leads to: for names that an administrator wrote, which may mean anything but a cloud's metadata.
import { BlockList, isIP } from 'node:net'
import { embeddedV4, expandGroups, isPublicAddress } from './public-address.ts'

export type AddressKind = 'public' | 'private' | 'loopback' | 'link-local' | 'special'

const loopback = new BlockList()
// RFC 1122 §3.2.1.3: 0.0.0.0 is this host, and systems connect it to themselves.
for (const network of ['127.0.0.0', '0.0.0.0']) loopback.addSubnet(network, 8, 'ipv4')
for (const address of ['::', '::1']) loopback.addAddress(address, 'ipv6')
const inside = new BlockList()
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
] as const)
  inside.addSubnet(network, prefix, 'ipv4')
inside.addSubnet('fc00::', 7, 'ipv6')
// Where machines of a cloud are told their credentials: link-local nearly everywhere, and these where it is not.
const links = new BlockList()
links.addSubnet('169.254.0.0', 16, 'ipv4')
for (const address of ['100.100.100.200', '168.63.129.16', '192.0.0.192']) links.addAddress(address, 'ipv4')
// Amazon has more than one there: the credentials of a pod are at fd00:ec2::23.
links.addSubnet('fd00:ec2::', 32, 'ipv6')
links.addAddress('fd20:ce::254', 'ipv6')
links.addSubnet('fe80::', 10, 'ipv6')

/** Of an IPv6 address that carries an IPv4 one: what that is, where systems connect to it; it is never less dangerous than that. */
export function kindOfAddress(address: string): AddressKind {
  const bare = address.split('%')[0] ?? ''
  const family = isIP(bare) === 6 ? 'ipv6' : 'ipv4'
  if (links.check(bare, family)) return 'link-local'
  if (loopback.check(bare, family)) return 'loopback'
  if (inside.check(bare, family)) return 'private'
  if (family === 'ipv6') {
    const groups = expandGroups(bare)
    const carried = carriedV4(groups).map(kindOfAddress)
    if (carried.includes('link-local')) return 'link-local'
    // RFC 4291 §2.5.5.2: the mapped form is the IPv4 host itself.
    if (groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff') return carried[0] ?? 'special'
  }
  return isPublicAddress(bare) ? 'public' : 'special'
}

/** Every IPv4 address that these groups may lead to: mapped, compatible, NAT64 and ISATAP at their end, 6to4 in the middle. */
function carriedV4(groups: readonly string[]): string[] {
  const start = groups.slice(0, 4).join(':')
  const isAtEnd =
    start === '0:0:0:0' || start.startsWith('64:ff9b:') || (groups[5] === '5efe' && /^(?:0|200)$/.test(groups[4] ?? ''))
  return [
    ...(isAtEnd ? [embeddedV4(groups)] : []),
    ...(groups[0] === '2002' ? [embeddedV4(['', '', '', '', '', '', groups[1] ?? '0', groups[2] ?? '0'])] : []),
  ]
}
