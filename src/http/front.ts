// The way in: every request passes the gates once and becomes an Exchange; every refusal leaves through one translation.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../protocol/clock.ts'
import { RequestError } from '../protocol/errors.ts'
import { clientAddress } from './client-address.ts'
import type { Endpoint, Exchange } from './exchange.ts'
import { checkHead } from './head.ts'
import { requestIds } from './request-id.ts'
import { type Answer, answerOf, sendAnswer } from './responses.ts'
import { parseTarget } from './target.ts'

interface Needs {
  readonly clock: Clock
  isTrustedProxy(address: string): boolean
  checkHost(host: string, viaProxy: boolean): void
  /** The route table: an exact path, or nothing. */
  match(path: string): Endpoint | undefined
  /** A refusal that no door translated itself, or a failure of ours. */
  onRefusal(exchange: Exchange, answer: Answer, error: unknown): void
}

export function createFront({
  clock,
  isTrustedProxy,
  checkHost,
  match,
  onRefusal,
}: Needs): (req: IncomingMessage, res: ServerResponse) => void {
  const nextId = requestIds()

  function refuse(exchange: Exchange, error: unknown): void {
    const answer = answerOf(error)
    onRefusal(exchange, answer, error)
    sendAnswer(exchange, answer)
  }

  return function handle(req, res) {
    const at = clock()
    const peer = req.socket.remoteAddress ?? ''
    const viaProxy = isTrustedProxy(peer)
    const id = nextId(at)
    res.setHeader('X-Request-Id', id)
    const base = {
      req,
      res,
      id,
      at,
      viaProxy,
      address: viaProxy ? peer : clientAddress(peer, undefined, isTrustedProxy),
    }
    let exchange: Exchange = { ...base, path: '', query: '' }
    try {
      const host = checkHead(req)
      const { path, query } = parseTarget(req.url ?? '')
      const forwarded = req.headers['x-forwarded-for']
      const address = clientAddress(peer, typeof forwarded === 'string' ? forwarded : undefined, isTrustedProxy)
      exchange = { ...base, path, query, address }
      checkHost(host, viaProxy)
      const endpoint = match(path)
      if (!endpoint) throw new RequestError(404, 'unknown_path', 'There is nothing at this address.')
      const running = endpoint(exchange)
      if (running) running.catch((error: unknown) => refuse(exchange, error))
    } catch (error) {
      refuse(exchange, error)
    }
  }
}
