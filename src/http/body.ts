// A request's body, whole: at most `limit` bytes, within `timeout` milliseconds. Trailers are never read (RFC 9110 §6.5.1).
import type { IncomingMessage } from 'node:http'
import { RequestError } from '../protocol/errors.ts'
import { addPart } from '../protocol/parts.ts'
import { endOfTurn } from './end-of-turn.ts'
import type { Exchange } from './exchange.ts'

const tooLarge = () => new RequestError(413, 'body_too_large', 'The request body is too large.', { close: true })

/** The bytes exactly as received. Throws RequestError 413, 408, or 400 when the client leaves in the middle. */
export function readBody({ req }: Pick<Exchange, 'req'>, limit: number, timeout: number): Promise<Buffer> {
  // What is announced too large is refused before a byte of it is read.
  if (Number(req.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge())
  // Without an event or a timer for each of its parts.
  return endOfTurn().then(() => (req.complete ? readArrived(req, limit) : readOn(req, limit, timeout)))
}

function readOn(req: IncomingMessage, limit: number, timeout: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    let settled = false
    const settle = (error?: RequestError): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      if (error === undefined) {
        resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size))
        return
      }
      // The rest stays in the socket: the answer closes the connection.
      req.pause()
      reject(error)
    }
    // `close` comes after every body: an error, with its stack, is made only where there is one.
    const lost = (cause?: Error): void => {
      if (!settled)
        settle(new RequestError(400, 'body_interrupted', 'The request body did not arrive.', { close: true, cause }))
    }
    const timer = setTimeout(
      () => settle(new RequestError(408, 'body_timeout', 'The request body took too long.', { close: true })),
      timeout,
    )
    if (req.destroyed) {
      lost()
      return
    }
    req.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) settle(tooLarge())
      else if (!settled) addPart(chunks, chunk)
    })
    req.on('end', () => settle())
    req.on('error', lost)
    req.on('close', lost)
  })
}

function readArrived(req: IncomingMessage, limit: number): Buffer {
  const body: unknown = req.read()
  if (!Buffer.isBuffer(body)) return Buffer.alloc(0)
  if (body.length > limit) throw tooLarge()
  return body
}
