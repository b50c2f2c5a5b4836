// A posted form: `application/x-www-form-urlencoded` (WHATWG URL §5.1), read once, whole, and without room for two readings.
import type { IncomingMessage } from 'node:http'
import { RequestError } from '../protocol/errors.ts'
import { addPart } from '../protocol/parts.ts'
import type { Exchange } from './exchange.ts'

const LARGEST = 16 * 1024
const MOST_FIELDS = 64

export type Form = ReadonlyMap<string, string>

/** Throws RequestError: 415 another kind of body, 413 too large, 408 too slow, 400 malformed or a field that comes twice. */
export async function readForm({ req }: Exchange, timeoutMs: number): Promise<Form> {
  const [type = '', ...parameters] = (req.headers['content-type'] ?? '').toLowerCase().split(';')
  const charset = parameters.map((parameter) => parameter.trim()).join(';')
  if (type.trim() !== 'application/x-www-form-urlencoded' || !['', 'charset=utf-8'].includes(charset))
    throw new RequestError(415, 'form_content_type', 'This address takes a posted form.', { close: true })
  if (req.headers['content-encoding'] !== undefined)
    throw new RequestError(415, 'form_encoding', 'A form is sent uncompressed.', { close: true })
  if (Number(req.headers['content-length'] ?? 0) > LARGEST) throw tooLarge()
  return parseForm(await readBody(req, timeoutMs))
}

async function readBody(req: IncomingMessage, timeoutMs: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const chunks: Buffer[] = []
  let size = 0
  const timer = setTimeout(() => {
    reject(new RequestError(408, 'form_timeout', 'The form took too long to arrive.', { close: true }))
  }, timeoutMs)
  const take = (chunk: Buffer) => {
    size += chunk.length
    if (size > LARGEST) reject(tooLarge())
    else addPart(chunks, chunk)
  }
  const broken = () => reject(new RequestError(400, 'form_aborted', 'The form did not arrive whole.', { close: true }))
  req.on('data', take).once('end', () => resolve(Buffer.concat(chunks)))
  req.once('error', broken).once('close', broken)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    req.off('data', take)
    // Stays paused with the rest unread: who refuses closes the connection.
    if (!req.readableEnded) req.pause()
  }
}

/** Strict where browsers never differ: a broken escape or a wrong byte is refused, not repaired into something else. */
export function parseForm(body: Buffer): Form {
  const fields = new Map<string, string>()
  const pairs = decodeUtf8(body)
    .split('&')
    .filter((pair) => pair !== '')
  if (pairs.length > MOST_FIELDS) throw malformed('form_fields')
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const name = decodeField(at < 0 ? pair : pair.slice(0, at))
    if (fields.has(name)) throw malformed('form_duplicate')
    fields.set(name, decodeField(at < 0 ? '' : pair.slice(at + 1)))
  }
  return fields
}

function decodeUtf8(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    throw malformed('form_utf8')
  }
}

function decodeField(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw malformed('form_escape')
  }
}

const tooLarge = () => new RequestError(413, 'form_too_large', 'The form is too large.', { close: true })
const malformed = (reason: string) => new RequestError(400, reason, 'The form is malformed.')
