// Calls that are held here while their clients answer what a server asks. The client has a sealed state that names this process and the
// call; it comes back for the same person, place, thing and arguments, in time, and once. MCP 2026-07-28, Multi round-trip requests.
import { randomBytes } from 'node:crypto'
import { canonicalDigest } from '../../protocol/canonical-json.ts'
import type { Clock } from '../../protocol/clock.ts'
import { RpcError } from '../../protocol/errors.ts'
import { isRecord } from '../../protocol/json.ts'
import type { RpcNotification, RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import { RPC } from '../../protocol/mcp.ts'
import { type SealKey, seal, unseal } from '../../tokens/seal.ts'
import { type HeldCall, holdCall, type MakeCall, type Turn, type Waiting } from './held-call.ts'

/** What a call was made for, in the words of the client. */
export interface HeldFor {
  readonly subject: string
  /** Server or view whose address it is. */
  readonly address: string
  readonly method: string
  readonly name: string
  readonly args: unknown
}

/** The client's answer: the call's, or `input_required`. */
export type Answer = { readonly kind: 'answered' | 'asked'; readonly response: RpcResponse }

export interface HeldRequest extends Waiting {
  readonly message: RpcRequest
  readonly of: HeldFor
}

export interface HeldCalls {
  /** Makes a call, and holds it where the server asks: one of so many that are counted for `whose`. Rejects as the call does. */
  begin(
    request: HeldRequest,
    needs: { readonly whose: string; mayAsk(question: RpcRequest): boolean },
    make: MakeCall,
  ): Promise<Answer>
  /** Goes on with a held one. Throws RpcError for a state that is not for this, has been used, or whose call is gone. */
  resume(request: HeldRequest, state: string): Promise<Answer>
  /** The process that holds the call; `undefined` for a state that is not for this. */
  ownerOf(of: HeldFor, state: string): string | undefined
  size(): number
  /** Ends all. */
  close(): void
}

/** Of each question: people are asked in between; the server's own patience may be shorter. */
const PATIENCE = 5 * 60_000
const MOST = 1000
const MOST_OF_ONE = 16
const MARK = 'held.'

/** A state of ours, and not one that a server gave out. */
export const isHeldState = (state: unknown): state is string => typeof state === 'string' && state.startsWith(MARK)

interface Held {
  readonly id: string
  readonly whose: string
  readonly call: HeldCall
  /** How often the client was asked: a state of an earlier time has been used. */
  round: number
  timer: NodeJS.Timeout | undefined
}

interface Needs {
  sealKeys(): readonly SealKey[]
  /** This replica and boot. */
  readonly self: string
  readonly clock: Clock
}

export function createHeldCalls({ sealKeys, self, clock }: Needs): HeldCalls {
  // Those that have asked; a call that asks nothing is never in it.
  const held = new Map<string, Held>()

  function hasRoom(whose: string): boolean {
    if (held.size >= MOST) return false
    let own = 0
    for (const one of held.values()) if (one.whose === whose) own += 1
    return own < MOST_OF_ONE
  }

  function forget(one: Held): void {
    clearTimeout(one.timer)
    held.delete(one.id)
  }

  /** Its client may never come back. */
  function wait(one: Held, until: number): void {
    held.set(one.id, one)
    one.timer = setTimeout(() => {
      forget(one)
      one.call.cancel()
    }, until - clock()).unref()
  }

  async function turn(one: Held, { of, message, ...waiting }: HeldRequest): Promise<Answer> {
    const ended = await one.call.turn(underToken(waiting, message)).catch((error: unknown) => {
      forget(one)
      throw error
    })
    if (ended.kind === 'answered') {
      forget(one)
      return { kind: 'answered', response: { ...ended.response, id: message.id } }
    }
    one.round += 1
    // Whoever comes back without the answer has no more time for it than before: a call keeps its place at the server meanwhile.
    const until = ended.since + PATIENCE
    wait(one, until)
    const payload = { o: self, h: one.id, n: one.round, e: until }
    const requestState = MARK + seal(sealKeys(), bindingOf(of), payload)
    return { kind: 'asked', response: inputRequired(message, ended, requestState) }
  }

  return {
    begin(request, { whose, mayAsk }, make) {
      const id = randomBytes(16).toString('base64url')
      const isHeld = () => held.has(id)
      const call = holdCall(make, { mayAsk: (question) => mayAsk(question) && (isHeld() || hasRoom(whose)), clock })
      return turn({ id, whose, call, round: 0, timer: undefined }, request)
    },
    async resume(request, state) {
      const { o, h, n, e } = open(request.of, state) ?? {}
      if (typeof e !== 'number' || e <= clock()) throw badState()
      const inputResponses = request.message.params?.['inputResponses'] ?? {}
      if (!isAnswers(inputResponses)) throw invalidParams('inputResponses', 'bad_params')
      const one = o === self && typeof h === 'string' ? held.get(h) : undefined
      if (one === undefined) throw gone()
      // Used before: its answers are given, and others may be waited for now.
      if (one.timer === undefined || one.round !== n) throw badState()
      clearTimeout(one.timer)
      one.timer = undefined
      one.call.answer(inputResponses)
      return turn(one, request)
    },
    ownerOf(of, state) {
      const owner = open(of, state)?.['o']
      return typeof owner === 'string' ? owner : undefined
    },
    size: () => held.size,
    close() {
      for (const one of held.values()) {
        forget(one)
        one.call.cancel()
      }
    },
  }

  function open(of: HeldFor, state: string): Record<string, unknown> | undefined {
    return unseal(sealKeys(), bindingOf(of), state.slice(MARK.length))
  }
}

function bindingOf({ subject, address, method, name, args }: HeldFor): string {
  return ['mcp-held', subject, address, method, name, canonicalDigest(args ?? {})].join('\0')
}

/** The server was given a token once; each request of the client has its own, or none. */
function underToken({ signal, onNotification }: Waiting, { params }: RpcRequest): Waiting {
  const meta = params?.['_meta']
  const progressToken = isRecord(meta) ? meta['progressToken'] : undefined
  return {
    signal,
    onNotification(said: RpcNotification) {
      if (said.method !== 'notifications/progress') return onNotification(said)
      if (progressToken !== undefined) onNotification({ ...said, params: { ...said.params, progressToken } })
    },
  }
}

function inputRequired(
  { id }: RpcRequest,
  { questions }: Turn & { readonly kind: 'asked' },
  requestState: string,
): RpcResponse {
  const inputRequests = Object.fromEntries(questions)
  return { jsonrpc: '2.0', id, result: { resultType: 'input_required', inputRequests, requestState } }
}

/** MCP 2026-07-28: each is the bare result of what was asked. One that is missing is asked for again, and what was not asked is not read. */
const isAnswers = (said: unknown): said is Readonly<Record<string, unknown>> =>
  isRecord(said) && Object.values(said).every(isRecord)

const invalidParams = (key: string, reason: string) =>
  new RpcError(RPC.invalidParams, reason, `Invalid params: ${key}`, { status: 200 })
/** One answer for every cause. */
const badState = () => invalidParams('requestState', 'bad_state')
const gone = () =>
  new RpcError(RPC.internalError, 'held_call_gone', 'The call that waited for this answer has ended. Call again.', {
    status: 200,
  })
