// Many callers over one channel: JSON-RPC ids and progress tokens of our own, one answer a call.
import { randomInt } from 'node:crypto'
import { parseBoundedJson } from '../../protocol/bounded-json.ts'
import { isRecord } from '../../protocol/json.ts'
import type { RpcId, RpcMessage, RpcNotification, RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import { rpcError } from '../../protocol/jsonrpc.ts'
import { type Ask, type ChannelCall, UpstreamError } from '../upstream.ts'
import { idleTimer } from './idle-timer.ts'
import { createQuestions } from './questions.ts'
import { type Ears, findAnswerId, type Transport } from './transport.ts'

export interface Multiplex extends Ears {
  call(message: RpcRequest, options: ChannelCall): Promise<RpcResponse>
  /** For what no caller waits for: a server that takes no input goes without it. */
  tell(message: RpcMessage): void
  /** Fails every call that still waits, once. */
  fail(reason: string, message: string): void
}

interface PendingCall {
  readonly id: RpcId
  readonly progressToken: unknown
  readonly ask: Ask | undefined
  /** Ends with the call. */
  readonly ended: AbortSignal
  answer(response: RpcResponse): void
  fail(reason: string, message: string): void
  progress(message: RpcNotification): void
}

type Incoming = Readonly<Record<string, unknown>>

export function openMultiplex(needs: {
  /** Longest wait for the first sign of an answer, and the longest silence after it. */
  requestTimeout: number
  idleTimeout: number
  write: Transport['send']
  /** What belongs to no call. */
  onNotification(message: RpcNotification): void
  onJunk(line: string): void
}): Multiplex {
  const { write } = needs
  const pending = new Map<number, PendingCall>()
  // Not from 1: a server that lets a caller's newline into its output must not let him answer another caller's call.
  let last = randomInt(2 ** 47)
  const refusal = (reason: string, message: string) => new UpstreamError(reason, message)
  const questions = createQuestions({ pending: () => pending.values(), tell })

  function call(message: RpcRequest, options: ChannelCall): Promise<RpcResponse> {
    const { signal } = options
    const id = ++last
    return new Promise((resolve, reject) => {
      const timer = idleTimer(() => giveUp('timeout', 'The server did not answer in time.'))
      const ended = new AbortController()
      const settle = () => {
        timer.stop()
        ended.abort()
        signal.removeEventListener('abort', onAbort)
        pending.delete(id)
      }
      const fail = (reason: string, text: string) => {
        settle()
        reject(refusal(reason, text))
      }
      // MCP 2025-11-25, Cancellation: tell the server; an answer that crosses this on the wire is ignored.
      const giveUp = (reason: string, text: string) => {
        fail(reason, text)
        tell({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason: text } })
      }
      const onAbort = () => giveUp('cancelled', 'The caller gave up.')
      if (signal.aborted) return reject(refusal('cancelled', 'The caller gave up.'))

      const answer = (response: RpcResponse) => {
        settle()
        resolve(response)
      }
      const progress = (notification: RpcNotification) => {
        timer.restart(needs.idleTimeout)
        options.onNotification(notification)
      }
      const ask: Ask | undefined =
        options.onRequest &&
        ((question, until) => {
          const asked = options.onRequest?.(question, until)
          // Whoever asks is at work, and whoever is asked may have to think.
          if (asked !== undefined) timer.restart(needs.idleTimeout)
          return asked
        })
      const progressToken = progressTokenOf(message)
      pending.set(id, { id: message.id, progressToken, ask, ended: ended.signal, answer, fail, progress })
      signal.addEventListener('abort', onAbort)
      timer.restart(needs.requestTimeout)
      const refused = (error: unknown) => {
        settle()
        reject(error)
      }
      try {
        write(withOwnIds(message, id), options.headers)?.catch(refused)
      } catch (error) {
        refused(error)
      }
    })
  }

  function tell(message: RpcMessage): void {
    const goWithout = (error: unknown) => {
      if (!(error instanceof UpstreamError)) throw error
    }
    try {
      write(message)?.catch(goWithout)
    } catch (error) {
      goWithout(error)
    }
  }

  function accept(message: Incoming, line: string): void {
    if (typeof message['method'] !== 'string') acceptAnswer(message, line)
    else if (message['id'] === undefined) acceptNotification(message, message['method'])
    else if (isId(message['id'])) questions.accept(requestOf(message['id'], message['method'], message['params']))
    else needs.onJunk(line)
  }

  function acceptAnswer(message: Incoming, line: string): void {
    const id = message['id']
    const waiting = typeof id === 'number' ? pending.get(id) : undefined
    // Unknown: the late answer to a call that was given up, or noise.
    const { result, error } = message
    if (!waiting) needs.onJunk(line)
    else if (isErrorObject(error)) waiting.answer(rpcError(waiting.id, error))
    else if (error === undefined && result !== undefined) waiting.answer({ jsonrpc: '2.0', id: waiting.id, result })
    else waiting.fail('protocol', 'The server sent an answer that is none.')
  }

  function acceptNotification(message: Incoming, method: string): void {
    const params = isRecord(message['params']) ? message['params'] : undefined
    if (method === 'notifications/progress') {
      const token = params?.['progressToken']
      const waiting = typeof token === 'number' ? pending.get(token) : undefined
      if (waiting && waiting.progressToken !== undefined)
        waiting.progress({ jsonrpc: '2.0', method, params: { ...params, progressToken: waiting.progressToken } })
    } else if (method === 'notifications/cancelled') questions.withdraw(params?.['requestId'])
    else needs.onNotification(params ? { jsonrpc: '2.0', method, params } : { jsonrpc: '2.0', method })
  }

  function failUnreadable(ends: { head: string; tail: string }, message: string): void {
    pending.get(findAnswerId(ends) ?? -1)?.fail('protocol', message)
  }

  return {
    call,
    tell,
    receive(line) {
      if (line.trim() === '') return
      const value = parseBoundedJson(line)
      if (value === undefined) {
        needs.onJunk(line)
        failUnreadable(
          { head: line.slice(0, 128), tail: line.slice(-128) },
          'The server sent an answer that is no JSON.',
        )
        return
      }
      // MCP 2025-03-26: several messages may come as one batch.
      for (const message of Array.isArray(value) ? value : [value]) {
        if (isRecord(message)) accept(message, line)
        else needs.onJunk(line)
      }
    },
    receiveOversize(line) {
      needs.onJunk(`${line.head} … (${line.size} bytes)`)
      failUnreadable(line, 'The server sent an answer that is too large.')
    },
    fail(reason, message) {
      for (const waiting of [...pending.values()]) waiting.fail(reason, message)
    },
  }
}

function withOwnIds(message: RpcRequest, id: number): RpcRequest {
  if (progressTokenOf(message) === undefined) return { ...message, id }
  const meta = message.params?.['_meta']
  return {
    ...message,
    id,
    params: { ...message.params, _meta: { ...(isRecord(meta) ? meta : {}), progressToken: id } },
  }
}

function progressTokenOf(message: RpcRequest): unknown {
  const meta = message.params?.['_meta']
  return isRecord(meta) ? meta['progressToken'] : undefined
}

const requestOf = (id: RpcId, method: string, params: unknown): RpcRequest =>
  isRecord(params) ? { jsonrpc: '2.0', id, method, params } : { jsonrpc: '2.0', id, method }

const isId = (value: unknown): value is RpcId => typeof value === 'string' || typeof value === 'number'

const isErrorObject = (value: unknown): value is { code: number; message: string; data?: unknown } =>
  isRecord(value) && Number.isInteger(value['code']) && typeof value['message'] === 'string'
