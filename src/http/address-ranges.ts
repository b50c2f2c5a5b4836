// Lists of address ranges that come and go with what they belong to, each compiled once.
import { addressMatcher } from './client-address.ts'

const compiled = new WeakMap<readonly string[], (address: string) => boolean>()

export function isWithinRanges(ranges: readonly string[], address: string): boolean {
  const matches = compiled.get(ranges) ?? addressMatcher(ranges)
  compiled.set(ranges, matches)
  return matches(address)
}
