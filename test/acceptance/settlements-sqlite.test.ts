// Settlement "SQLite": two connections to the state. What must outlive a power cut is committed FULL; interactions and browser
// sessions may lose their last moments, NORMAL. Read from the connections of a running gateway.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'

interface Seen {
  readonly file: string
  readonly database: DatabaseSync
  /** Statements that write, as they were prepared. */
  readonly writes: string[]
}

const NORMAL = 1
const FULL = 2

let canary: Canary
let gateway: TestGateway
const connections = new Map<DatabaseSync, Seen>()
beforeAll(async () => {
  const { exec, prepare } = DatabaseSync.prototype
  const note = (database: DatabaseSync): Seen => {
    const seen = connections.get(database) ?? { file: database.location() ?? '', database, writes: [] }
    connections.set(database, seen)
    return seen
  }
  vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql) {
    note(this)
    return exec.call(this, sql)
  })
  vi.spyOn(DatabaseSync.prototype, 'prepare').mockImplementation(function (this: DatabaseSync, sql) {
    if (/^\s*(insert|update|delete)/i.test(sql)) note(this).writes.push(sql)
    return prepare.call(this, sql)
  })
  canary = await startCanary()
  gateway = await startGateway({ store: 'file', servers: [{ id: 'canary', url: canary.url }] })
  await gateway.tokenFor('canary')
})
afterAll(async () => {
  vi.restoreAllMocks()
  await gateway?.close()
  await canary?.close()
})

const pragma = ({ database }: Seen, name: string): unknown =>
  Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]
const ofState = () => [...connections.values()].filter(({ file }) => file.endsWith('portcullis.db'))
const withSync = (level: number): Seen => {
  const [found] = ofState().filter((one) => pragma(one, 'synchronous') === level)
  if (found === undefined) throw new Error(`No connection to the state has synchronous = ${level}.`)
  return found
}
/** Tables that statements write to. */
const tablesOf = ({ writes }: Seen): Set<string> =>
  new Set(writes.map((sql) => /(?:into|update|from)\s+"?(\w+)/i.exec(sql)?.[1] ?? sql))

describe('SQLite', () => {
  it('has two connections to the state: one FULL, one NORMAL, both with a write-ahead log', () => {
    expect(
      ofState()
        .map((one) => pragma(one, 'synchronous'))
        .sort(),
    ).toEqual([NORMAL, FULL])
    for (const one of ofState()) expect(pragma(one, 'journal_mode')).toBe('wal')
  })

  it('keeps the record in files of its own, which no connection opens', () => {
    expect([...connections.values()].filter(({ file }) => file.includes('audit'))).toEqual([])
    expect(readdirSync(join(gateway.config.store.directory, 'audit')).length).toBeGreaterThan(0)
  })

  it('writes what must last through the FULL one alone', () => {
    const [full, normal] = [tablesOf(withSync(FULL)), tablesOf(withSync(NORMAL))]
    // A sign-in of a new client: its registration, the consent, the family, the refresh token, the keys of the start.
    for (const table of ['clients', 'consents', 'families', 'refresh_tokens', 'users', 'keyring']) {
      expect([table, full.has(table)]).toEqual([table, true])
      expect([table, normal.has(table)]).toEqual([table, false])
    }
  })

  it('writes interactions and browser sessions through the NORMAL one, and codes through the FULL one', () => {
    const relaxed = [...tablesOf(withSync(NORMAL))]
    expect(relaxed).toContain('artifacts')
    expect(relaxed.filter((table) => !['artifacts', 'counters', 'marks'].includes(table))).toEqual([])
    expect(tablesOf(withSync(FULL))).toContain('artifacts')
  })

  it('waits for another process only as long as nobody notices', () => {
    for (const one of ofState()) expect(pragma(one, 'busy_timeout')).toBeLessThanOrEqual(250)
  })
})
