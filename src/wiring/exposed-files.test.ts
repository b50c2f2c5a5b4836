// Files of the gate that other accounts may reach are told of with what to do, and nothing is told of those that they may not.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Config } from '../config/schema.ts'
import { tellExposedFiles } from './exposed-files.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-modes-'))
  for (const name of ['audit', 'spool']) mkdirSync(join(folder, name), { mode: 0o700 })
  for (const name of ['gate.db', 'gate.db-wal', 'gate.db-shm', 'vault.key', 'own.key'])
    writeFileSync(join(folder, name), '', { mode: 0o600 })
})
afterEach(() => rmSync(folder, { recursive: true }))

function toldOf(given: { url?: string; keys?: readonly string[] } = {}) {
  const { url = `sqlite:${join(folder, 'gate.db')}`, keys = [] } = given
  const config = Config.parse({
    store: { url, directory: folder },
    vault: { keys: keys.map((name) => ({ id: 'k1', type: 'file', path: join(folder, name) })) },
  })
  const told: (readonly [path: string, mode: string, remedy: string])[] = []
  tellExposedFiles(config, {
    warn: ({ path, mode }: { path?: string; mode?: string }, message) =>
      told.push([path?.slice(folder.length + 1) ?? '', mode ?? '', /chmod \S+$/.exec(message)?.[0] ?? message]),
  })
  return told
}

describe('files of the gate', () => {
  it.each([
    ['.', 0o775, 'chmod go-w'],
    ['.', 0o757, 'chmod go-w'],
    ['gate.db', 0o640, 'chmod 600'],
    ['gate.db', 0o604, 'chmod 600'],
    ['gate.db', 0o620, 'chmod 600'],
    ['gate.db-wal', 0o644, 'chmod 600'],
    ['gate.db-shm', 0o660, 'chmod 600'],
    ['audit', 0o755, 'chmod 700'],
    ['spool', 0o750, 'chmod 700'],
    ['vault.key', 0o644, 'chmod 600'],
  ])('%s with %o is told of', (name, mode, remedy) => {
    chmodSync(join(folder, name), mode)
    expect(toldOf()).toEqual([[name === '.' ? '' : name, `0${mode.toString(8)}`, remedy]])
  })

  it.each([
    ['.', 0o755],
    ['.', 0o700],
    // A group of the gate's own, as secret managers make one.
    ['vault.key', 0o640],
    ['gate.db', 0o400],
  ])('%s with %o is as it should be', (name, mode) => {
    chmodSync(join(folder, name), mode)
    expect(toldOf()).toEqual([])
  })

  it('are looked at where they are named, and only there', () => {
    chmodSync(join(folder, 'own.key'), 0o604)
    chmodSync(join(folder, 'vault.key'), 0o604)
    const key = (name: string) => [name, '0604', 'chmod 600']
    expect(toldOf()).toEqual([key('vault.key')])
    expect(toldOf({ keys: ['own.key'] })).toEqual([key('own.key')])
    chmodSync(join(folder, 'gate.db'), 0o604)
    expect(toldOf({ url: 'postgres://gate@db.example/gate' })).toEqual([key('vault.key')])
    expect(toldOf({ url: 'sqlite::memory:' })).toEqual([key('vault.key')])
  })

  it('may have a folder of their own beside that of the record', () => {
    const apart = join(folder, 'apart')
    mkdirSync(apart)
    const url = `sqlite:${join(apart, 'gate.db')}`
    chmodSync(apart, 0o755)
    expect(toldOf({ url })).toEqual([])
    chmodSync(apart, 0o777)
    expect(toldOf({ url })).toEqual([['apart', '0777', 'chmod go-w']])
  })

  it('need not be there', () => {
    for (const name of ['gate.db', 'gate.db-wal', 'vault.key', 'audit']) rmSync(join(folder, name), { recursive: true })
    expect(toldOf()).toEqual([])
  })
})
