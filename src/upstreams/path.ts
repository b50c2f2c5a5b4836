// Where a request to a server goes: its path and query, and a credential that stands in the query.
import type { Given } from './upstream.ts'

export const withCredential = (path: string, { query }: Pick<Given, 'query'>): string =>
  query === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`
