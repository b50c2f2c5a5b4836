// One growing segment of the record: lines are only ever added at its end. It belongs to one writer.
import { closeSync, ftruncateSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { StoreUnavailable } from '../../protocol/errors.ts'
import type { RecordEntry } from '../record-log.ts'
import type { syncFile } from './disk.ts'
import { ignoreGone } from './failure.ts'
import { nameSegment } from './segment-name.ts'
import { WrittenLines } from './written-lines.ts'

interface Needs {
  readonly folder: string
  /** Eight hexadecimal digits, which no other segment of this moment has. */
  readonly writer: string
  readonly begun: number
  readonly sync: typeof syncFile
}

/** For most writes: each runs to its end before another begins. */
const ROOM = Buffer.allocUnsafeSlow(64 * 1024)

export class Segment {
  readonly begun: number
  bytes = 0
  readonly #needs: Needs
  readonly #path: string
  readonly #file: number
  readonly #lines = new WrittenLines()
  #first = ''
  #last = ''
  /** Bytes that are on the disk. */
  #synced = 0
  #syncing: Promise<void> | undefined
  #failure: unknown
  #ended = false
  #closed = false

  /** Throws what the file system says. */
  constructor(needs: Needs) {
    this.#needs = needs
    this.begun = needs.begun
    this.#path = join(needs.folder, nameSegment(needs.begun, needs.writer))
    this.#file = openSync(this.#path, 'ax', 0o600)
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /**
   * Without entries an empty line, which readers skip. Throws when the disk does not take all of them; then nothing of them is there, and
   * nothing may be written here any more.
   */
  write(entries: readonly RecordEntry[], stamp: number): void {
    const text = entries.length === 0 ? '\n' : this.#lines.write(entries, stamp)
    // One UTF-16 unit is at most three bytes of UTF-8.
    const room = text.length * 3 <= ROOM.length ? ROOM : Buffer.from(text)
    const size = room === ROOM ? ROOM.write(text) : room.length
    try {
      if (writeSync(this.#file, room, 0, size) !== size) throw new StoreUnavailable('The disk took only a part.')
    } catch (error) {
      // Readers go by the size: what is cut off may not grow again.
      ftruncateSync(this.#file, this.bytes)
      throw error
    }
    this.bytes += size
    for (const { id } of entries) {
      // Most come in order.
      if (id > this.#last) this.#last = id
      else if (id < this.#first) this.#first = id
      if (this.#first === '') this.#first = id
    }
  }

  /** Resolves when all that was written is on the disk. Rejects with what the system says, for everybody once it did so for one. */
  async sync(): Promise<void> {
    const { bytes } = this
    while (this.#synced < bytes) {
      if (this.#failure !== undefined) throw this.#failure
      // One at a time: the system tells of bytes that it lost once, and whoever asks beside may have lost the same.
      this.#syncing ??= this.#syncNow()
      await this.#syncing
    }
  }

  async #syncNow(): Promise<void> {
    const { bytes } = this
    try {
      await this.#needs.sync({ file: this.#file, path: this.#path, isNew: this.#synced === 0 })
      this.#synced = bytes
    } catch (error) {
      this.#failure = error
      throw error
    } finally {
      this.#syncing = undefined
      if (this.#ended) this.#closeWhenDone()
    }
  }

  /** Takes no more. */
  end(): void {
    this.#ended = true
    this.#lines.end()
    this.#closeWhenDone()
  }

  /** While somebody may still wait for it, the file has to be there. */
  #closeWhenDone(): void {
    if (this.#syncing === undefined && (this.#synced === this.bytes || this.#failure !== undefined)) this.close()
  }

  /** Once nobody waits for the disk any more. */
  async closeWhenIdle(): Promise<void> {
    while (this.#syncing !== undefined) await this.#syncing.catch(() => undefined)
    this.close()
  }

  /** Whatever is on the disk of it; it gets its range into its name. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#file)
    const { folder, begun, writer } = this.#needs
    try {
      if (this.#first === '') unlinkSync(this.#path)
      else renameSync(this.#path, join(folder, nameSegment(begun, writer, { first: this.#first, last: this.#last })))
    } catch (error) {
      // Long idle, a later start has named it (left-over.ts).
      ignoreGone(error)
    }
  }
}
