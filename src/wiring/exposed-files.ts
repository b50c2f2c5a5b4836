// What other accounts of this machine may do with the gate's files: told at the start. The gate makes them for its own account alone, and
// changes no mode that somebody else has set.
import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Log } from '../observe/log.ts'
import { databaseFileOf, keyFileOf } from './vault.ts'

type Settings = Pick<Config, 'vault' | 'store'>

interface Kept {
  readonly paths: readonly string[]
  /** What nobody else should be allowed. */
  readonly mask: number
  readonly told: string
}

export function tellExposedFiles(config: Settings, log: Pick<Log, 'warn'>): void {
  // Windows has other permissions, and Node makes these up.
  if (process.platform === 'win32') return
  for (const { paths, mask, told } of keptBy(config))
    for (const path of new Set(paths)) {
      const found = statSync(path, { throwIfNoEntry: false })
      if (found !== undefined && (found.mode & mask) !== 0) log.warn({ path, mode: octal(found.mode) }, told)
    }
}

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0')

function keptBy({ vault, store }: Settings): readonly Kept[] {
  const { directory } = store
  const database = databaseFileOf(store)
  const keys = vault.keys.flatMap((key) => (key.type === 'file' ? [key.path] : []))
  return [
    {
      // Whoever may write there can put a file of theirs in the place of any of ours.
      paths: database === undefined ? [directory] : [directory, dirname(database)],
      mask: 0o022,
      told: 'others on this machine may put files of theirs in place of those in this folder: chmod go-w',
    },
    {
      paths: database === undefined ? [] : [database, `${database}-wal`, `${database}-shm`],
      mask: 0o077,
      told: 'others on this machine may read or change the database: chmod 600',
    },
    {
      paths: [join(directory, 'audit'), join(directory, 'spool')],
      mask: 0o077,
      told: 'others on this machine may look into the record: chmod 700',
    },
    {
      // Secret managers hand a file to a group of the gate alone.
      paths: vault.keys.length === 0 ? [keyFileOf(store)] : keys,
      mask: 0o007,
      told: 'others on this machine may read a key of the vault: chmod 600',
    },
  ]
}
