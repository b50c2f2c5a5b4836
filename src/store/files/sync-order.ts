// What the thread that waits for the disk is told, and what it answers: one answer an order, in the orders' order.

export type Order =
  /** `folder`: where its name must outlast a power cut, too. */
  { readonly act: 'sync'; readonly file: number; readonly folder: string | undefined } | { readonly act: 'close' }

export interface Answer {
  /** Why it may not be on the disk. */
  readonly failure: string | undefined
}
