// A JSON body for a person's or a script's request: UTF-8 without a mark, uncompressed. What its members may be, the schemas say.
import type { IncomingHttpHeaders } from 'node:http'
import { RequestError } from '../protocol/errors.ts'

export function parseJson(headers: IncomingHttpHeaders, body: Buffer): unknown {
  if (headers['content-encoding'] !== undefined)
    throw new RequestError(415, 'body_encoding', 'Send the body uncompressed.')
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
    return JSON.parse(text, refusePrototypes)
  } catch (error) {
    if (error instanceof RequestError) throw error
    throw new RequestError(400, 'bad_json', 'The body is not JSON in UTF-8.')
  }
}

/** CWE-1321: assigned from here to elsewhere it would change what other objects have. */
function refusePrototypes(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new RequestError(400, 'bad_field', '__proto__: There is no such field.')
  return value
}
