// The resolver of this process in an attacker's hands: names mean what a test says, each time anew. Only `dns.promises.lookup`, and
// `resolve` for a gateway; sockets resolve by themselves, and would find these names nowhere.
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import { isIP } from 'node:net'

export interface Resolver {
  /** What names mean, as a gateway asks. */
  resolve(host: string): Promise<readonly string[]>
  /** What a name means, one list an answer; the last one stays. */
  point(name: string, ...answers: readonly (readonly string[])[]): void
  /** How often the name was asked for. */
  asked(name: string): number
  restore(): void
}

export function takeOverResolver(): Resolver {
  const usual = dns.promises.lookup
  const names = new Map<string, (readonly string[])[]>()
  const counts = new Map<string, number>()
  const put = (lookup: unknown) => {
    Object.assign(dns.promises, { lookup })
    syncBuiltinESMExports()
  }
  put(async (name: string, options: { all?: boolean }) => {
    const answers = names.get(name)
    if (answers === undefined) return usual(name, options as { all: true })
    counts.set(name, (counts.get(name) ?? 0) + 1)
    const addresses = (answers.length > 1 ? answers.shift() : answers[0]) ?? []
    return addresses.map((address) => ({ address, family: isIP(address) }))
  })
  return {
    resolve: async (host) => (await dns.promises.lookup(host, { all: true })).map(({ address }) => address),
    point: (name, ...answers) => void names.set(name, [...answers]),
    asked: (name) => counts.get(name) ?? 0,
    restore: () => put(usual),
  }
}
