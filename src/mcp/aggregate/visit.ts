// A request to a view, once it is read and its head fits its body; and which view it is for.
import { checkSpoken } from '../revision.ts'
import { type Target, targetOf } from '../target.ts'
import { type Arrival, checkWords, type Words } from '../visit.ts'
import type { View } from './views/view.ts'

export interface ViewVisit extends Arrival, Words {
  readonly view: View
  readonly target: Target
}

/** One that asks for an answer. */
export type RequestVisit = ViewVisit & { readonly incoming: { readonly kind: 'request' } }

export const isRequest = (visit: ViewVisit): visit is RequestVisit => visit.incoming?.kind === 'request'

export function checkViewVisit(arrival: Arrival & Pick<ViewVisit, 'view'>): ViewVisit {
  const words = checkWords(arrival)
  checkSpoken({ ...words, head: arrival.head })
  return { ...arrival, ...words, target: targetOf(words.method, words.params) }
}
