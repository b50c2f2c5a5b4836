// The audit record at rest: time-ordered ids, one JSON line each.

/** No part of it, nor of what is below, holds a line feed. */
export interface RecordLine {
  /** UUIDv7: time-ordered, so that the record grows at one end. No space in it. */
  readonly id: string
  readonly line: string
}

export interface RecordLog {
  /** Commits durably before it resolves. A line with a known id replaces the earlier one (a decision gains its outcome). */
  append(lines: readonly RecordLine[]): Promise<void>
  /** As `append`, but never replaces: what a crash left behind must not undo a recorded outcome. */
  restore(lines: readonly RecordLine[]): Promise<void>
  /** Lines with an id above `after`, oldest first. */
  read(after: string, limit: number): Promise<RecordLine[]>
  /** The newest lines, of those with an id below `before`, oldest of them first. */
  newest(limit: number, before?: string): Promise<RecordLine[]>
  find(id: string): Promise<RecordLine | undefined>
  /** Of a record that is kept on this machine: one for each that writes. */
  openJournal?(): Journal
  close(): Promise<void>
}

/** What becomes known of an event later: its line goes on with this, in place of the closing brace. */
export interface RecordEnding {
  readonly id: string
  readonly ending: string
}

/** A line in two parts. */
export interface RecordParts {
  readonly id: string
  readonly head: string
  /** What other lines end with, too: a place that keeps many keeps it once. */
  readonly shared: string
}

export type RecordEntry = RecordLine | RecordParts | RecordEnding

/** Written is safe from a kill of this process, synced from a power cut. */
export interface Journal {
  /** Throws StoreUnavailable when the disk does not take all of it; then it counts as not written. */
  write(entries: readonly RecordEntry[]): void
  /**
   * Resolves when all that was written here before is on the disk. Rejects with StoreUnavailable where nobody knows: all that was written
   * here since the last sync that resolved was begun, also while this one was under way, is to be written again in the same order.
   */
  sync(): Promise<void>
  /** Throws StoreUnavailable when the disk takes nothing. What it takes here the next sync waits for. */
  probe(): void
}

export interface CheckedRecordLog extends RecordLog {
  /** Resolves when an append would work. */
  check(): Promise<void>
}
