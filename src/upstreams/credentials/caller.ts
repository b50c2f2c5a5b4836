// What the caller sends along for the server, and for nobody else: X-Upstream-Authorization becomes Authorization there. Only under this kind.
import { createHash } from 'node:crypto'
import type { CredentialsOf } from '../../config/credentials.ts'
import type { Caller } from '../caller.ts'
import type { Credential } from '../credential.ts'
import type { Given } from '../upstream.ts'
import { fieldOf } from './presented.ts'

const NOTHING: Given = { headers: {} }

export function callerCredential({ header }: CredentialsOf<'caller'>): Credential {
  const name = header.toLowerCase()
  const sent = (caller: Caller | undefined) => (caller === undefined ? undefined : fieldOf(caller.rawHeaders, name))
  return {
    personal: true,
    given(caller) {
      const value = sent(caller)
      // Without one the server says itself what it lacks.
      return value === undefined || value === '' ? NOTHING : { headers: { authorization: value } }
    },
    // One person may hold several accounts there.
    ownerOf: (caller) =>
      createHash('sha256')
        .update(sent(caller) ?? '')
        .digest('base64url'),
  }
}
