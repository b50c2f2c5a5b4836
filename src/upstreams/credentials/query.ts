// A key in the query of the server's address, for servers that know no other way. It is in no log of ours: addresses of servers are not logged.
import type { CredentialsOf } from '../../config/credentials.ts'
import type { Credential } from '../credential.ts'
import type { Given } from '../upstream.ts'
import { sharedValues } from './headers.ts'
import { openValues, type SourceNeeds } from './value-source.ts'

export async function queryCredential(
  server: string,
  { parameter, value, reload }: CredentialsOf<'query'>,
  needs: SourceNeeds,
): Promise<Credential> {
  const make = (values: ReadonlyMap<string, string>): Given => ({
    headers: {},
    query: `${encodeURIComponent(parameter)}=${encodeURIComponent(values.get('value') ?? '')}`,
  })
  const flawOf = (text: string) => (text.isWellFormed() ? undefined : 'which is no text')
  return sharedValues(await openValues({ value }, { server, reload, flawOf, make }, needs))
}
