// What the record's thread is told, and what it answers: one answer an order, in the orders' order.
import type { RecordLine } from '../record-log.ts'

export type Order =
  | { readonly act: 'append' | 'restore'; readonly text: string }
  | { readonly act: 'check' }
  | { readonly act: 'close' }

export interface Answer {
  /** Why nothing of the order was written. */
  readonly failure: string | undefined
}

/** One string for a batch: what threads tell each other is copied, and many small things cost far more to copy than a long one. */
export function joinLines(lines: readonly RecordLine[]): string {
  let text = ''
  for (const { id, line } of lines) text += `${id}\n${line}\n`
  return text
}

/** Ids and lines in turn. Neither holds a line feed. */
export function splitLines(text: string): string[] {
  return text.slice(0, -1).split('\n')
}

export function parsePath(workerData: unknown): string {
  if (typeof workerData !== 'string') throw new TypeError('The record thread was started without a path.')
  return workerData
}
