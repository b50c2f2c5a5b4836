// What a row of the compatibility table says, by what becomes of it here.

/** The systems, in the order of the documentation. */
export const SEEDS = ['ContextForge', 'mcpauth', 'Kuadrant', 'Portkey', 'Solace'] as const
export type SeedSystem = (typeof SEEDS)[number]

/** What brings a row that this version knows by name only; `never` is not taken over. */
const OWNERS = [
  'policy and aggregation',
  'upstreams and credentials',
  'life of tokens',
  'administration',
  'observability',
  'replicas',
] as const
export type Owner = (typeof OWNERS)[number] | 'never'

interface Common {
  readonly name: string
  readonly systems: readonly SeedSystem[]
  /** Go-style flag of the same meaning, without its dash. */
  readonly flag?: string
  /** The flag needs no value. */
  readonly bool?: true
  /** A value to show; tests set it. */
  readonly example: string
}

/** In force: `slot` is the setting, or a part of one that `seed-settings.ts` puts together. */
export interface WorkingRow extends Common {
  readonly status: 'works'
  readonly slot: string
  readonly setting: string
  readonly parse: (text: string) => unknown
  readonly gives: unknown
  readonly secret?: true
  /** Said at start for values that are read, yet have no effect here. */
  readonly warn?: (text: string) => string | undefined
}

/** Not in force yet: said by name at start. `asIs` values ask for what we do anyway; `refuses` values would weaken the gate. */
export interface LaterRow extends Common {
  readonly status: 'later'
  readonly owner: Owner
  readonly feature: string
  /** Set for whole machines by whoever runs them: alone it says nothing about this gate. */
  readonly ambient?: true
  readonly asIs?: (text: string) => boolean
  readonly refuses?: { when: (text: string) => boolean; because: string }
}

/** A key of a configuration file; refused by name. */
export interface KeyRow {
  readonly status: 'key'
  readonly name: string
  readonly systems: readonly SeedSystem[]
  readonly owner: Owner
  readonly feature: string
}

export type VariableRow = WorkingRow | LaterRow

export const FORGE = ['ContextForge'] as const
export const MCPAUTH = ['mcpauth'] as const
export const KUADRANT = ['Kuadrant'] as const
export const PORTKEY = ['Portkey'] as const
export const SOLACE = ['Solace'] as const
