// The way in: every request passes the gates once and becomes an Exchange; every refusal leaves through one translation.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../protocol/clock.ts'
import { RequestError } from '../protocol/errors.ts'
import { clientAddress } from './client-address.ts'
import type { Endpoint, Exchange } from './exchange.ts'
import { checkHead } from './head.ts'
import { identify } from './identified.ts'
import { requestIds } from './request-id.ts'
import { type Answer, answerOf, sendAnswer } from './responses.ts'
import { parseTarget } from './target.ts'
import type { TrustedProxies } from './trusted-proxy.ts'
import { responseOn, type UpgradeEndpoint, type Upgrades } from './upgrade.ts'

type Draft = { -readonly [Key in keyof Exchange]: Exchange[Key] }

interface Needs {
  readonly clock: Clock
  readonly proxies: TrustedProxies
  checkHost(host: string, viaProxy: boolean): void
  /** The route table: an exact path, or nothing. */
  match(path: string, exchange: Exchange): Endpoint | undefined
  /** The addresses that speak WebSocket. */
  matchUpgrade(path: string): UpgradeEndpoint | undefined
  /** A refusal that no door translated itself, or a failure of ours. */
  onRefusal(exchange: Exchange, answer: Answer, error: unknown): void
}

export interface Front {
  handle(req: IncomingMessage, res: ServerResponse): void
  readonly upgrades: Upgrades
}

export function createFront({ clock, proxies, checkHost, match, matchUpgrade, onRefusal }: Needs): Front {
  const nextId = requestIds()

  function refuse(exchange: Exchange, error: unknown): void {
    const answer = answerOf(error)
    onRefusal(exchange, answer, error)
    sendAnswer(exchange, answer)
  }

  function arrive(req: IncomingMessage, res: ServerResponse): Draft {
    const at = clock()
    const id = nextId(at)
    identify(res, id)
    const address = proxies.peerOf(req.socket)
    return { req, res, path: '', query: '', id, address, viaProxy: proxies.isTrusted(req.socket), at }
  }

  function passGates(exchange: Draft): void {
    const { req, viaProxy } = exchange
    const host = checkHead(req)
    const { path, query } = parseTarget(req.url ?? '')
    exchange.path = path
    exchange.query = query
    if (viaProxy)
      exchange.address = clientAddress(exchange.address, req.headers['x-forwarded-for'], proxies.isTrustedAddress)
    checkHost(host, viaProxy)
  }

  return {
    handle(req, res) {
      const exchange = arrive(req, res)
      try {
        passGates(exchange)
        const endpoint = match(exchange.path, exchange)
        if (!endpoint) throw unknownPath()
        const running = endpoint(exchange)
        if (running) running.catch((error: unknown) => refuse(exchange, error))
      } catch (error) {
        refuse(exchange, error)
      }
    },
    upgrades: {
      takes: (target) => matchUpgrade(target.split('?', 1)[0] ?? '') !== undefined,
      handle(req, socket, head) {
        const { res, takeOver } = responseOn(req, socket, head)
        const exchange = { ...arrive(req, res), takeOver }
        try {
          passGates(exchange)
          const endpoint = matchUpgrade(exchange.path)
          if (!endpoint) throw unknownPath()
          const running = endpoint(exchange)
          if (running) running.catch((error: unknown) => refuse(exchange, error))
        } catch (error) {
          refuse(exchange, error)
        }
      },
    },
  }
}

const unknownPath = () => new RequestError(404, 'unknown_path', 'There is nothing at this address.')
