// Envoy joins header lines of one name with a comma before it asks: what was two is one line then, and must not pass for one.
import type { IncomingHttpHeaders } from 'node:http'
import { BearerError } from '../../protocol/errors.ts'

/** No credential that is taken here has a comma in it. Throws BearerError `invalid_request` (RFC 6750 §2: one method a request). */
export function checkOneCredential(headers: IncomingHttpHeaders, bearerField: string): void {
  for (const name of ['authorization', 'x-api-key', bearerField])
    if (String(headers[name] ?? '').includes(','))
      throw new BearerError('invalid_request', 'two_credentials', 'Send one credential, not two.')
}
