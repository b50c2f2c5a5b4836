// Where each value of a configuration came from, for messages and for `config print`.
import type { Path } from './settings.ts'

export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number }
  /** A variable, a seed's variable or a flag, under the name the operator wrote. */
  | { readonly kind: 'variable' | 'seed' | 'flag'; readonly name: string }
  | { readonly kind: 'settled'; readonly from: string }

export interface Origins {
  /** The origin of the value at a path, or of the nearest value around it. */
  find(path: Path): Origin
}

export const pathText = (path: Path): string =>
  path.map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`)).join('')

export function describeOrigin(origin: Origin): string {
  if (origin.kind === 'default') return 'default'
  if (origin.kind === 'file') return `${origin.file}:${origin.line}:${origin.column}`
  return origin.kind === 'settled' ? origin.from : origin.name
}
