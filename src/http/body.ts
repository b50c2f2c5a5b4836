// A request's body, whole: at most `limit` bytes, within `timeout` milliseconds. Trailers are never read (RFC 9110 §6.5.1).
import { RequestError } from '../protocol/errors.ts'
import type { Exchange } from './exchange.ts'

const tooLarge = () => new RequestError(413, 'body_too_large', 'The request body is too large.', { close: true })

/** The bytes exactly as received. Throws RequestError 413, 408, or 400 when the client leaves in the middle. */
export function readBody({ req }: Pick<Exchange, 'req'>, limit: number, timeout: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // What is announced too large is refused before a byte of it is read.
    if (Number(req.headers['content-length'] ?? 0) > limit) {
      reject(tooLarge())
      return
    }
    let first: Buffer | undefined
    let rest: Buffer[] | undefined
    let size = 0
    const settle = (error: RequestError | undefined): void => {
      clearTimeout(timer)
      req.off('data', onData).off('end', onEnd).off('error', onLost).off('close', onLost)
      if (error === undefined) {
        resolve(rest === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(rest, size))
        return
      }
      // The rest stays in the socket: the answer closes the connection.
      req.pause()
      reject(error)
    }
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > limit) settle(tooLarge())
      else if (first === undefined) first = chunk
      else if (rest === undefined) rest = [first, chunk]
      else rest.push(chunk)
    }
    const onEnd = (): void => settle(undefined)
    const onLost = (cause?: Error): void =>
      settle(new RequestError(400, 'body_interrupted', 'The request body did not arrive.', { close: true, cause }))
    const timer = setTimeout(
      () => settle(new RequestError(408, 'body_timeout', 'The request body took too long.', { close: true })),
      timeout,
    )
    req.on('data', onData).on('end', onEnd).on('error', onLost).on('close', onLost)
  })
}
