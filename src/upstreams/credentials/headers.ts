// The same header fields for everybody, written in the configuration or elsewhere.
import type { CredentialsOf } from '../../config/credentials.ts'
import type { Credential } from '../credential.ts'
import type { Given } from '../upstream.ts'
import { openValues, type SourceNeeds, type Values } from './value-source.ts'

/** RFC 9110 §5.5. */
const SENDABLE = /^[\t\x20-\x7e\x80-\xff]*$/

export async function headersCredential(
  server: string,
  { headers, reload }: CredentialsOf<'headers'>,
  needs: SourceNeeds,
): Promise<Credential> {
  const flawOf = (value: string) =>
    SENDABLE.test(value) ? undefined : 'which holds what a header cannot carry (a line break, a control character)'
  const make = (values: ReadonlyMap<string, string>): Given => ({
    headers: Object.fromEntries([...values].map(([name, value]) => [name.toLowerCase(), value])),
  })
  return sharedValues(await openValues(headers, { server, reload, flawOf, make }, needs))
}

/** One for all callers. Refused, it is looked for again: it may have been rotated since. */
export const sharedValues = (values: Values<Given>): Credential => ({
  personal: false,
  given: () => values.current(),
  async renewed(_caller, given) {
    await values.reload()
    const again = values.current()
    return again === given ? undefined : again
  },
  close: values.close,
})
