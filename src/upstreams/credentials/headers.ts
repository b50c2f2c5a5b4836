// The same header fields for everybody, written in the configuration or elsewhere.
import type { CredentialsOf } from '../../config/credentials.ts'
import type { Credential } from '../credential.ts'
import type { Given } from '../upstream.ts'
import { openValues, type SourceNeeds } from './value-source.ts'

/** RFC 9110 §5.5. */
const SENDABLE = /^[\t\x20-\x7e\x80-\xff]*$/

export const headerFlaw = (value: string): string | undefined =>
  SENDABLE.test(value) ? undefined : 'which holds what a header cannot carry (a line break, a control character)'

export async function headersCredential(
  server: string,
  { headers, reload }: CredentialsOf<'headers'>,
  needs: SourceNeeds,
): Promise<Credential> {
  const values = await openValues(headers, { server, reload, flawOf: headerFlaw }, needs)
  const shared = sharedGiven(
    () => values.current(),
    (current): Given => ({
      headers: Object.fromEntries([...current].map(([name, value]) => [name.toLowerCase(), value])),
    }),
  )
  return {
    personal: false,
    given: shared,
    async renewed(_caller, given) {
      // Rotated where it comes from, and not looked at since.
      await values.reload()
      const again = shared()
      return again === given ? undefined : again
    },
    close: values.close,
  }
}

/** One for all callers, made anew where a value is another. */
export function sharedGiven(
  read: () => ReadonlyMap<string, string>,
  make: (values: ReadonlyMap<string, string>) => Given,
): () => Given {
  let of: readonly string[] = []
  let given: Given | undefined
  return () => {
    const values = read()
    let at = 0
    let same = given !== undefined
    for (const value of values.values()) same = same && of[at++] === value
    if (same && given !== undefined) return given
    of = [...values.values()]
    given = make(values)
    return given
  }
}
