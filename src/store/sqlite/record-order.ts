// What the record's thread is told, and what it answers.
import type { RecordLine } from '../record-log.ts'

export type Order =
  | { readonly number: number; readonly act: 'append' | 'restore'; readonly lines: readonly RecordLine[] }
  | { readonly number: number; readonly act: 'check' }
  | { readonly act: 'close' }

export interface Answer {
  readonly number: number
  /** Why nothing of the order was written. */
  readonly failure: string | undefined
}

export function parsePath(workerData: unknown): string {
  if (typeof workerData !== 'string') throw new TypeError('The record thread was started without a path.')
  return workerData
}
