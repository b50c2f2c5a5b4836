// Is it a person at a browser who would see a sign-in page, or a program that needs a challenge?
import type { Credentials } from '../identity/way.ts'
import type { Original } from './original.ts'

/** A page that is opened, as browsers say it (Fetch Metadata; `Accept` where that is not sent): not a script's request, an image or a form. */
export function isNavigation({ method }: Pick<Original, 'method'>, credentials: Pick<Credentials, 'field'>): boolean {
  if (!isReading(method)) return false
  const [mode] = credentials.field('sec-fetch-mode')
  if (mode !== undefined && mode !== 'navigate') return false
  return credentials.field('accept').some((accept) => /(?:^|[,\s])text\/html(?:[;,\s]|$)/i.test(accept))
}

export const isReading = (method: string): boolean => method === 'GET' || method === 'HEAD'
