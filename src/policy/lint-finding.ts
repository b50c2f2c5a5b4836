// What a look at the rules finds, and what it is told.
import type { Config } from '../config/schema.ts'
import type { Rule } from './rules.ts'
import type { Target } from './target.ts'

export interface Finding {
  /** Path of the setting, for its place in the file. */
  readonly at: readonly (string | number)[]
  /** Stable slug. */
  readonly kind: string
  readonly rule: string | undefined
  readonly message: string
  /** What to do. */
  readonly remedy: string
}

export type Linted = Pick<
  Config,
  'policy' | 'roles' | 'scopes' | 'limits' | 'servers' | 'forwardAuth' | 'auth' | 'oauth'
>

export interface Needs {
  readonly config: Linted
  readonly rules: readonly Rule[]
  /** Tools that servers have, where they are known: names by server. */
  readonly seen?: ReadonlyMap<string, ReadonlySet<string>> | undefined
}

/** Ids that a rule may name. Without servers of its own the gate decides for others, whose names nobody knows. */
export function knownServers({ servers, forwardAuth }: Linted): readonly string[] | undefined {
  if (servers.length === 0) return undefined
  return [
    ...servers.map(({ id }) => id),
    ...forwardAuth.resources.flatMap(({ host, server }) => [host, server ?? host]),
  ]
}

export const isNowhere = ({ server }: Target, known: readonly string[] | undefined): boolean =>
  known !== undefined && !known.some(server.matches)
