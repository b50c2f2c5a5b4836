// What another gateway sends over the back channel: in the query, as a form or as a JSON object, since each of them is written
// somewhere. One field has one value, wherever it stands.
import { errors } from 'oidc-provider'
import { readBody } from '../../http/body.ts'
import type { Exchange } from '../../http/exchange.ts'
import { type Form, parseForm } from '../../http/form.ts'
import { isRecord } from '../../protocol/json.ts'

const LARGEST = 16 * 1024

/** Fields without a value count as omitted. Throws InvalidRequest, or RequestError 413 and 408. */
export async function readFields(exchange: Exchange, known: readonly string[], timeout: number): Promise<Form> {
  const fields = new Map<string, string>()
  for (const source of [readQuery(exchange), await readSent(exchange, timeout)])
    for (const [name, value] of source) {
      if (!known.includes(name) || value === '') continue
      if ((fields.get(name) ?? value) !== value) throw new errors.InvalidRequest(`${name} has two values`)
      fields.set(name, value)
    }
  return fields
}

export const readQuery = ({ query }: Exchange): Form => parse(() => parseForm(Buffer.from(query)))

async function readSent(exchange: Exchange, timeout: number): Promise<Form> {
  const body = await readBody(exchange, LARGEST, timeout)
  if (body.length === 0) return new Map()
  const type = exchange.req.headers['content-type'] ?? ''
  if (/^application\/json\s*(?:;|$)/i.test(type)) return parse(() => parseFlatJson(body))
  if (/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) return parse(() => parseForm(body))
  throw new errors.InvalidRequest('the body must be a form or a JSON object')
}

function parse(read: () => Form): Form {
  try {
    return read()
  } catch {
    throw new errors.InvalidRequest('the parameters are malformed, or one of them comes twice')
  }
}

/** An object of texts. Every text in it is a name or a value, so that their number tells a name that comes twice. */
function parseFlatJson(body: Buffer): Form {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  const object: unknown = JSON.parse(text)
  if (!isRecord(object)) throw new TypeError('not an object')
  const texts = Object.entries(object).map(([name, value]): [string, string] => {
    if (typeof value !== 'string') throw new TypeError('not a text')
    return [name, value]
  })
  if ((text.match(/"(?:[^"\\]|\\.)*"/g) ?? []).length !== texts.length * 2) throw new TypeError('a name comes twice')
  return new Map(texts)
}
