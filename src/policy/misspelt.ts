// Names of arguments that a rule asks for, in another case: a server that folds case would find there what the rule did not.
import { isRecord } from '../protocol/json.ts'
import type { Reading } from './policy.ts'

/** As Go's decoder does, the long s and the Kelvin sign included. */
export const foldCase = (name: string): string => (FOLDED.test(name) ? name : name.toUpperCase().toLowerCase())
const FOLDED = /^[a-z0-9_]*$/

/** Some name at any depth is one of those that rules read, spelled otherwise; or two of one object differ in case alone. */
export function isMisspelt({ args, names }: Reading, given: Readonly<Record<string, unknown>> | undefined): boolean {
  if (!args || given === undefined) return false
  const read = new Set([...(names ?? [])].map(foldCase))
  return holdsMisspelt(given, (name, folded) => read.has(folded) && names?.has(name) !== true)
}

function holdsMisspelt(value: unknown, isOther: (name: string, folded: string) => boolean): boolean {
  if (Array.isArray(value)) return value.some((item) => holdsMisspelt(item, isOther))
  if (!isRecord(value)) return false
  const names = Object.keys(value)
  const folded = names.map(foldCase)
  if (new Set(folded).size < names.length) return true
  return names.some((name, at) => isOther(name, folded[at] ?? '') || holdsMisspelt(value[name], isOther))
}
