// What the thread that waits for the disk is told, and what it answers: one answer an order, in the orders' order.

export interface SyncOrder {
  readonly file: number
  /** Where it has to be found afterwards. */
  readonly path: string
  /** Its name must outlast a power cut, too. */
  readonly isNew: boolean
}

export type Order = ({ readonly act: 'sync' } & SyncOrder) | { readonly act: 'close' }

export interface Answer {
  /** Why it may not be on the disk. */
  readonly failure: string | undefined
}
