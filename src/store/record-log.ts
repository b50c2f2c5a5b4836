// The audit record at rest: time-ordered ids, one JSON line each. Writes come in batches from one writer (audit/).

/** Neither part holds a line feed. */
export interface RecordLine {
  /** UUIDv7: time-ordered, so that the index grows at one end (a random id costs six times the write). */
  readonly id: string
  readonly line: string
}

export interface RecordLog {
  /** Commits durably before it resolves. A line with a known id replaces the earlier one (a decision gains its outcome). */
  append(lines: readonly RecordLine[]): Promise<void>
  /** As `append`, but never replaces: what a crash left in the spool must not undo a recorded outcome. */
  restore(lines: readonly RecordLine[]): Promise<void>
  /** Lines with an id above `after`, oldest first. */
  read(after: string, limit: number): Promise<RecordLine[]>
  /** The newest lines, oldest of them first. */
  newest(limit: number): Promise<RecordLine[]>
  find(id: string): Promise<RecordLine | undefined>
  close(): Promise<void>
}
