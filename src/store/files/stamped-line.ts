// A line of a segment: the id, when it was written, the event; or, with a `+` at the time, what the event's line ends with. Of two lines with
// one id the one with the later stamp stands, wherever they are.
import type { RecordEnding, RecordEntry, RecordLine } from '../record-log.ts'

export interface Written extends RecordLine {
  /** Milliseconds, never the same for two appends of one process. Below zero where it was restored, which replaces nothing. */
  readonly stamp: number
}

let last = 0

/** Later than every stamp that this process has given, however the clock is set. */
export function nextStamp(now: number): number {
  last = Math.max(now, last + 1)
  return last
}

/** Ids hold no space, and nothing of an entry a line feed. */
export function writeEntries(entries: readonly RecordEntry[], stamp: number): string {
  let text = ''
  for (const entry of entries)
    text += 'line' in entry ? `${entry.id} ${stamp} ${entry.line}\n` : `${entry.id} ${stamp}+ ${entry.ending}\n`
  return text
}

/** Lines by their ids, one each. */
export class Lines {
  readonly #written = new Map<string, Written>()
  readonly #endings = new Map<string, RecordEnding & { readonly stamp: number }>()
  /** `''`: there are none. */
  first = ''
  last = ''

  ids(): Iterable<string> {
    return this.#written.keys()
  }

  /** In no order. */
  *whole(): Generator<RecordLine> {
    for (const { id, stamp, line } of this.#written.values()) {
      const ending = this.#endings.get(id)
      const ends = ending !== undefined && ending.stamp >= stamp && line.endsWith('}')
      yield { id, line: ends ? line.slice(0, -1) + ending.ending : line }
    }
  }

  addAll(others: Lines): void {
    for (const written of others.#written.values()) this.#add(written)
    for (const [id, ending] of others.#endings) this.#addEnding(id, ending.ending, ending.stamp)
  }

  /** Whole lines of a segment; what a power cut left half written is none. */
  addText(text: string): void {
    for (const written of text.split('\n')) {
      const afterId = written.indexOf(' ')
      const afterStamp = written.indexOf(' ', afterId + 1)
      if (afterId <= 0 || afterStamp < 0 || written.includes('\0')) continue
      const ends = written[afterStamp - 1] === '+'
      const stamp = Number(written.slice(afterId + 1, ends ? afterStamp - 1 : afterStamp))
      if (!Number.isSafeInteger(stamp)) continue
      const [id, rest] = [written.slice(0, afterId), written.slice(afterStamp + 1)]
      if (ends) this.#addEnding(id, rest, stamp)
      else this.#add({ id, stamp, line: rest })
    }
  }

  /** Of what was appended the later line stands, of what was restored the earlier. */
  #add(written: Written): void {
    const { id, stamp } = written
    const before = this.#written.get(id)
    if (before !== undefined && (stamp < before.stamp || (stamp === before.stamp && stamp < 0))) return
    this.#written.set(id, written)
    this.#reach(id)
  }

  #addEnding(id: string, ending: string, stamp: number): void {
    const before = this.#endings.get(id)
    if (before !== undefined && stamp < before.stamp) return
    this.#endings.set(id, { id, ending, stamp })
    this.#reach(id)
  }

  #reach(id: string): void {
    if (id > this.last) this.last = id
    if (this.first === '' || id < this.first) this.first = id
  }
}
