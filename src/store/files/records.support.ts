// A record in a folder of its own for each test, with the clock and the waiting for the disk in hand.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import type { CheckedRecordLog, RecordLine } from '../record-log.ts'
import { syncFile } from './disk.ts'
import { openRecords } from './records.ts'

export const HOUR = 3_600_000

class RecordFolder {
  folder = ''
  now = 0
  /** How the disk is waited for. */
  sync = syncFile
  /** What it was waited for. */
  syncs: string[] = []
  #records: CheckedRecordLog | undefined

  get records(): CheckedRecordLog {
    if (this.#records === undefined) throw new TypeError('No test is running.')
    return this.#records
  }

  async begin(): Promise<void> {
    this.folder = mkdtempSync(join(tmpdir(), 'portcullis-records-'))
    this.now = Date.parse('2026-11-21T12:00:00Z')
    this.sync = syncFile
    this.syncs = []
    this.#records = await this.open()
  }

  async end(): Promise<void> {
    await this.#records?.close()
    rmSync(this.folder, { recursive: true })
  }

  /** Another record over the same files. */
  open(): Promise<CheckedRecordLog> {
    const sync: typeof syncFile = (file) => {
      this.syncs.push(file.path)
      return this.sync(file)
    }
    return openRecords({ folder: this.folder, clock: () => this.now, sync })
  }

  segments(): string[] {
    return readdirSync(this.folder).sort()
  }
}

/** Begun before each test of a file, and gone after it. */
export function recordFolder(): RecordFolder {
  const here = new RecordFolder()
  beforeEach(() => here.begin())
  afterEach(() => here.end())
  return here
}

/** A UUIDv7 of that moment. */
export function idOf(moment: number, count = 0): string {
  const time = moment.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${String(count).padStart(12, '0')}`
}

export const line = (id: string, text = id): RecordLine => ({ id, line: text })
export const lines = (all: readonly RecordLine[]): string[] => all.map((one) => one.line)
