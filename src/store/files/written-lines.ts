// The lines of one segment as they are written (what they look like: stamped-line.ts).
import type { RecordEntry } from '../record-log.ts'

/** Texts that are kept for a segment. Where more are shared, lines are written whole: their writer remembers all of these. */
const MOST_SHARED = 2048

export class WrittenLines {
  /** By what they say: under which number later lines name them. Remembered before it is written: whose write fails is not written to again. */
  readonly #shared = new Map<string, number>()

  /** Ids hold no space and begin with no `=`, and nothing of an entry holds a line feed. */
  write(entries: readonly RecordEntry[], stamp: number): string {
    let text = ''
    for (const entry of entries) text += this.#lineOf(entry, stamp)
    return text
  }

  /** Nothing more is written. */
  end(): void {
    this.#shared.clear()
  }

  #lineOf(entry: RecordEntry, stamp: number): string {
    const { id } = entry
    if ('ending' in entry) return `${id} ${stamp}+ ${entry.ending}\n`
    if ('line' in entry) return `${id} ${stamp} ${entry.line}\n`
    const { head, shared } = entry
    const known = this.#shared.get(shared)
    if (known !== undefined) return `${id} ${stamp}=${known} ${head}\n`
    if (this.#shared.size === MOST_SHARED) return `${id} ${stamp} ${head}${shared}\n`
    const number = this.#shared.size
    this.#shared.set(shared, number)
    return `=${number} ${shared}\n${id} ${stamp}=${number} ${head}\n`
  }
}
