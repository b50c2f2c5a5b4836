// Hands a whole request to the replica that holds what it needs, and its answer to the client, as they come. The client that leaves is
// gone there as well. Nothing is sent twice: whoever does not answer may have done what was asked.
import type { LookupFunction } from 'node:net'
import { Agent, type Dispatcher, request } from 'undici'
import type { Exchange } from '../../http/exchange.ts'
import type { Clock } from '../../protocol/clock.ts'
import { splitEvents, writeEvent } from '../../protocol/events.ts'
import type { RpcId } from '../../protocol/jsonrpc.ts'
import type { Principal } from '../../protocol/principal.ts'
import { sendRpc } from '../answer.ts'
import { FAULTS, faultMessage } from '../fault.ts'
import { type EnvelopeKeys, pack } from './envelope.ts'
import type { Membership } from './replicas.ts'

export interface ToHandOn {
  readonly exchange: Exchange
  readonly principal: Principal
  readonly body: Buffer | undefined
  /** Of the message, where it waits for an answer. */
  readonly id: RpcId | undefined
}

/** `false`: the owner is not there (any more), and nothing has been done. Never rejects for what another replica does; rejects with the store. */
export type HandOn = (owner: string, request: ToHandOn) => Promise<boolean>

export const HOP_PATH = '/hop'
/** Not for this replica: it has another boot, other keys, or another time. MCP doors never answer so. */
export const MISDIRECTED = 421

const CONNECT = 3000
/** Of one connection between replicas, or said anew by the replica that the client sees. */
const OWN_FIELDS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date', 'x-request-id'])
const MOST_EVENT = 1024 * 1024

interface Needs extends EnvelopeKeys {
  readonly membership: Pick<Membership, 'addressOf' | 'forget'>
  readonly clock: Clock
  /** What the names of other replicas mean. */
  readonly lookup: LookupFunction
}

export interface HandingOn {
  readonly handOn: HandOn
  /** Streams that no answer ends: their clients come back to whoever serves then. */
  endLasting(): void
  close(): Promise<void>
}

export function createHandOn({ membership, clock, lookup, sealKeys }: Needs): HandingOn {
  const lasting = new Set<() => void>()
  const agent = new Agent({ connect: { timeout: CONNECT, lookup }, headersTimeout: 0, bodyTimeout: 0, pipelining: 1 })

  async function handOn(owner: string, asked: ToHandOn): Promise<boolean> {
    const address = await membership.addressOf(owner)
    if (address === undefined) return false
    const { exchange, body = Buffer.alloc(0) } = asked
    const gone = new AbortController()
    const leave = () => gone.abort()
    exchange.res.once('close', leave)
    const end = (): void => {
      leave()
      if (exchange.res.headersSent) exchange.res.end()
      else exchange.res.destroy()
    }
    if (exchange.req.method === 'GET') lasting.add(end)
    try {
      const packed = pack({ sealKeys }, owner, { handed: handedOf(asked), body }, clock())
      const answer = await request(new URL(HOP_PATH, address), {
        method: 'POST',
        body: packed,
        headers: { 'content-type': 'application/octet-stream' },
        dispatcher: agent,
        signal: gone.signal,
      })
      if (answer.statusCode === MISDIRECTED) {
        await answer.body.dump()
        membership.forget(owner)
        return false
      }
      await passOn(answer, asked, gone.signal)
      return true
    } catch (error) {
      // The client has left: whatever becomes of it there, nobody waits here.
      if (gone.signal.aborted) return true
      if (isUnreached(error)) {
        membership.forget(owner)
        return false
      }
      if (!(error instanceof Error && 'code' in error)) throw error
      breakOff(asked)
      return true
    } finally {
      lasting.delete(end)
      exchange.res.off('close', leave)
    }
  }

  return {
    handOn,
    endLasting() {
      for (const end of [...lasting]) end()
    },
    close: () => agent.destroy(),
  }
}

function handedOf({ exchange, principal }: ToHandOn) {
  const { req, path, query, id, at, address, viaProxy } = exchange
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(req.headers))
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  return {
    method: req.method ?? 'GET',
    path,
    query,
    headers,
    rawHeaders: req.rawHeaders,
    principal,
    address,
    viaProxy,
    id,
    at,
  }
}

const UNREACHED: ReadonlySet<unknown> = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'],
  ...['ENOTFOUND', 'EAI_AGAIN'],
])

/** No connection came to be: nothing was asked. */
const isUnreached = (error: unknown): boolean => error instanceof Error && 'code' in error && UNREACHED.has(error.code)

async function passOn(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  asked: ToHandOn,
  gone: AbortSignal,
): Promise<void> {
  const { res } = asked.exchange
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || OWN_FIELDS.has(name) ? [] : [name, Array.isArray(value) ? value.join(', ') : value],
  )
  res.writeHead(statusCode, fields)
  res.flushHeaders()
  const isStream = (headers['content-type'] ?? '').toString().startsWith('text/event-stream')
  const parts: Buffer[] = []
  // Of a stream whole events alone: where it breaks off in the middle of one, what we add can be read.
  const splitter = splitEvents(MOST_EVENT, (event) => void parts.push(event))
  try {
    for await (const chunk of body) {
      if (isStream) splitter.push(chunk as Buffer)
      else parts.push(chunk as Buffer)
      for (const part of parts.splice(0)) await write(res, part)
    }
    res.end()
  } catch (error) {
    if (gone.aborted) return
    if (!(error instanceof Error && 'code' in error)) throw error
    if (isStream && !splitter.inside()) breakOff(asked)
    else res.destroy()
  }
}

async function write(res: Exchange['res'], part: Buffer): Promise<void> {
  if (res.destroyed || res.write(part)) return
  await new Promise<void>((resolve) => {
    const go = (): void => {
      res.off('drain', go).off('close', go)
      resolve()
    }
    res.once('drain', go).once('close', go)
  })
}

/** The owner has ended before it answered, or in the middle of a stream. One error for whoever waits. */
function breakOff({ exchange: { res, id: requestId }, id }: ToHandOn): void {
  const body = faultMessage(FAULTS.reset, id, requestId)
  if (!res.headersSent) sendRpc(res, FAULTS.reset.status, body)
  else res.end(id === undefined ? undefined : writeEvent(body))
}
