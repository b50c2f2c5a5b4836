// What a rule compares of a claim.
import { type Claims, claimAt } from '../protocol/claims.ts'

/** A text, a number, yes or no, or each of a list of these. */
export function claimTexts(claims: Claims, path: string): readonly string[] {
  const value = claimAt(claims, path)
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.flatMap((one) =>
    typeof one === 'string' ? [one] : typeof one === 'boolean' || Number.isSafeInteger(one) ? [String(one)] : [],
  )
}
