// Claims of a principal by path: own properties only, the whole path as one name first (`https://example.com/groups`), then step by step.
import { isRecord } from '../protocol/json.ts'

type Claims = Readonly<Record<string, unknown>>

export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const step of path.split('.')) {
    if (!isRecord(value) || !Object.hasOwn(value, step)) return undefined
    value = value[step]
  }
  return value
}

/** What a rule may compare it with: a text, a number, yes or no, or each of a list of these. */
export function claimTexts(claims: Claims, path: string): readonly string[] {
  const value = claimAt(claims, path)
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.flatMap((one) =>
    typeof one === 'string' ? [one] : typeof one === 'boolean' || Number.isSafeInteger(one) ? [String(one)] : [],
  )
}
