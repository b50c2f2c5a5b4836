// Who sent the request: the peer, or what trusted proxies say of it (RFC 7239's older sibling, X-Forwarded-For).
import { BlockList, isIP, isIPv4 } from 'node:net'

const LONGEST_CHAIN = 4096

/** `::ffff:10.0.0.5` is 10.0.0.5; a zone id is not part of the address. */
export function plainAddress(address: string): string {
  const zone = address.indexOf('%')
  const bare = zone === -1 ? address : address.slice(0, zone)
  // An IPv4 address is what most have, and has no colon.
  if (!bare.includes(':')) return bare
  return bare.toLowerCase().startsWith('::ffff:') && isIPv4(bare.slice(7)) ? bare.slice(7) : bare
}

/** A predicate over CIDR ranges and single addresses; remembers its answers for the few peers a proxy tier has. */
export function addressMatcher(entries: readonly string[]): (address: string) => boolean {
  // `server.trustedProxies` also names peers that no address tells.
  const ranges = entries.filter((entry) => entry !== 'unix' && !entry.startsWith('certificate:'))
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  const answers = new Map<string, boolean>()
  return (raw) => {
    if (ranges.length === 0) return false
    const known = answers.get(raw)
    if (known !== undefined) return known
    const address = plainAddress(raw)
    const family = isIP(address)
    const answer = family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
    if (answers.size > 1000) answers.clear()
    answers.set(raw, answer)
    return answer
  }
}

/** Behind a trusted peer: the rightmost untrusted address of its chain. Everything left of that is the client's own claim. */
export function clientAddress(
  peer: string,
  forwarded: string | string[] | undefined,
  isTrusted: (address: string) => boolean,
): string {
  const own = plainAddress(peer)
  if (typeof forwarded !== 'string' || forwarded.length > LONGEST_CHAIN) return own
  const chain = forwarded.split(',')
  for (let at = chain.length - 1; at >= 0; at--) {
    const hop = plainAddress(withoutPort((chain[at] ?? '').trim()))
    // Junk inside the chain: nothing left of it can be believed.
    if (isIP(hop) === 0) return own
    if (!isTrusted(hop)) return hop
  }
  return own
}

/** `192.0.2.1:4711` and `[2001:db8::1]:4711`; most proxies name the address alone. */
const withoutPort = (hop: string): string =>
  hop.includes(':') ? hop.replace(/^\[([^\]]+)\](?::\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1') : hop
