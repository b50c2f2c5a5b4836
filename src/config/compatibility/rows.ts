// The compatibility table: what the configuration knows by name, and what the five systems document besides.
import { FOREIGN_KEYS, type ForeignKey } from '../foreign-keys.ts'
import { code } from '../markdown.ts'
import { SEED_KEYS } from '../seed-keys.ts'
import type { KeyRow, LaterRow, SeedSystem, VariableRow } from '../seed-rows.ts'
import { SEED_ROWS } from '../seeds.ts'
import { CONTEXTFORGE_ADDRESSES } from './contextforge-addresses.ts'
import { CONTEXTFORGE_ANSWERS } from './contextforge-answers.ts'
import { KUADRANT_ROWS } from './kuadrant.ts'
import { MCPAUTH_ROWS } from './mcpauth.ts'
import { MEANINGS } from './meanings.ts'
import { PORTKEY_ADDRESSES } from './portkey-addresses.ts'
import { PORTKEY_KEYS } from './portkey-keys.ts'
import type { Here, Row } from './row.ts'
import { SOLACE_ROWS } from './solace.ts'

const WRITTEN: Readonly<Record<SeedSystem, readonly Row[]>> = {
  ContextForge: [...CONTEXTFORGE_ADDRESSES, ...CONTEXTFORGE_ANSWERS],
  mcpauth: MCPAUTH_ROWS,
  Kuadrant: KUADRANT_ROWS,
  Portkey: [...PORTKEY_ADDRESSES, ...PORTKEY_KEYS],
  Solace: SOLACE_ROWS,
}

/** Every row of one system. */
export function rowsOf(system: SeedSystem): readonly Row[] {
  const isOf = ({ systems }: { readonly systems: readonly SeedSystem[] }) => systems.includes(system)
  const known = SEED_ROWS.filter(isOf)
  return [
    ...known
      .filter(({ name }) => !name.startsWith('-'))
      .map((row) => rowOf('variable', row.name, row, TABLES.variable)),
    ...known.flatMap((row) =>
      row.flag === undefined || !FLAGGED.includes(system) ? [] : [rowOf('flag', flagOf(row.flag), row, TABLES.flag)],
    ),
    ...FOREIGN_KEYS.filter(isOf).map((row: ForeignKey) => rowOf('key', row.name, row, TABLES.ownKey)),
    ...SEED_KEYS.filter(isOf).filter(isWholly).map(keyRowOf),
    ...WRITTEN[system],
  ]
}

/** The tests that walk the tables of the configuration, and a word of each that says so. */
const TABLES = {
  variable: { test: 'src/config/seeds.test.ts', says: 'describe.each(VARIABLES' },
  flag: { test: 'src/config/seeds.test.ts', says: 'describe.each([...SEED_FLAGS])' },
  ownKey: { test: 'src/config/foreign-keys.test.ts', says: 'FOREIGN_KEYS' },
  key: { test: 'src/config/seeds.test.ts', says: 'SEED_KEYS.map' },
} as const

/** What has a variable of ContextForge, too, has no flag there. */
const FLAGGED: readonly SeedSystem[] = ['mcpauth', 'Kuadrant']

/** Go's flags take one dash or two; their documentation writes words with dashes between behind two. */
const flagOf = (flag: string): string => (flag.includes('-') ? `--${flag}` : `-${flag}`)

function rowOf(
  kind: 'variable' | 'flag' | 'key',
  name: string,
  row: VariableRow,
  table: { readonly test: string; readonly says: string },
): Row {
  const meaning = MEANINGS[row.name]
  const shown = meaning?.test === undefined || kind === 'flag' ? table : { test: meaning.test, says: meaning.says }
  const there = row.status === 'works' ? (meaning?.there ?? '') : subjectOf(row)
  return {
    kind,
    name,
    there: `${there}${there === '' ? '' : ', '}e.g. ${code(row.example)}`,
    here: row.status === 'works' ? { status: 'works', how: `sets ${code(row.setting)}` } : laterOf(row),
    test: shown.test,
    says: shown.says ?? row.name,
  }
}

function laterOf(row: LaterRow): Here {
  const { owner, refuses, asIs, feature } = row
  const value = asIs === undefined ? '' : ', unless it asks for what holds anyway'
  const told = refuses === undefined ? `warned of${value}` : `refused${value}: ${refuses.because}`
  if (owner !== 'never') return { status: 'later', owner, today: told }
  const advice = feature.split('; ').slice(1).join('; ')
  return { status: 'never', because: `${advice === '' ? '' : `${advice}; `}${told}` }
}

const subjectOf = ({ feature }: Pick<LaterRow, 'feature'>): string => feature.split('; ')[0] ?? ''

/** Of the others each key has a row of its own among those that are written. */
const isWholly = ({ name }: KeyRow): boolean =>
  !Object.values(WRITTEN).some((rows) => rows.some((row) => row.kind === 'key' && rootOf(row.name) === name))

const rootOf = (name: string): string => name.split('.')[0] ?? name

function keyRowOf({ name, owner, feature }: KeyRow): Row {
  const here: Here =
    owner === 'never'
      ? { status: 'never', because: `refused by name: ${feature}` }
      : { status: 'later', owner, today: 'refused by name' }
  return { kind: 'key', name, there: owner === 'never' ? '' : feature, here, ...TABLES.key }
}
