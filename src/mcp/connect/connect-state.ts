// `requestState` of our own question to connect an account: good for the same person, place and thing, for an hour. All it says is that they
// were asked: whoever comes back with it is not asked again. MCP 2026-07-28, Multi round-trip requests: an attacker may have written it.
import type { Clock } from '../../protocol/clock.ts'
import { RpcError } from '../../protocol/errors.ts'
import { isRecord } from '../../protocol/json.ts'
import { RPC } from '../../protocol/mcp.ts'
import type { SealKey } from '../../tokens/seal.ts'
import { sealedNotes } from '../../tokens/sealed-note.ts'
import { endOfValue, findMember, membersOf, pastSpace } from '../json-members.ts'

export interface StateOf {
  readonly subject: string
  readonly server: string
  readonly method: string
  /** As the client called it. */
  readonly name: string
}

/** What the person did with the question. */
export type Answered = 'accept' | 'decline'

export interface ConnectStates {
  seal(of: StateOf): string
  /** `undefined` for a state of somebody else's, or none. Throws RpcError for one of ours that is not for this; `former`: see formerSubject. */
  open(of: StateOf, params: Params, former?: string): Answered | undefined
}

type Params = Readonly<Record<string, unknown>> | undefined

/** Key of our question among `inputRequests`. */
export const QUESTION = 'connect_account'
const MARK = 'connect.'
const LIFE = 3600_000

export function connectStates(needs: { sealKeys(): readonly SealKey[]; clock: Clock }): ConnectStates {
  const notes = sealedNotes({ ...needs, life: LIFE })
  const bindingOf = ({ subject, server, method, name }: StateOf): string =>
    ['connect-state', subject, server, method, name].join('\0')
  return {
    seal: (of) => MARK + notes.seal(bindingOf(of), {}),
    open(of, params, former) {
      const { requestState, inputResponses } = params ?? {}
      if (!isConnectState(requestState)) return undefined
      const sealed = requestState.slice(MARK.length)
      const isOf = (subject: string): boolean => notes.open(bindingOf({ ...of, subject }), sealed) !== undefined
      if (!isOf(of.subject) && (former === undefined || !isOf(former)))
        throw new RpcError(RPC.invalidParams, 'bad_state', 'Invalid params: requestState', { status: 200 })
      const response = isRecord(inputResponses) ? inputResponses[QUESTION] : undefined
      return isRecord(response) && response['action'] === 'accept' ? 'accept' : 'decline'
    },
  }
}

/** A state of ours, and not one that a server gave out. */
const isConnectState = (state: unknown): state is string => typeof state === 'string' && state.startsWith(MARK)

const OURS = ['requestState', 'inputResponses']

/** The server was not asked, and hears nothing of our question: the message as it was before. */
export function withoutAnswer(body: Buffer): Buffer {
  const text = body.toString('latin1')
  const params = findMember(text, pastSpace(text, 0), 'params')
  if (params === undefined) return body
  const kept = [...membersOf(text, params.value)].filter(({ key }) => !OURS.includes(JSON.parse(key) as string))
  const members = kept.map(({ start, end }) => text.slice(start, end)).join(',')
  const after = text.slice(endOfValue(text, params.value))
  return Buffer.from(`${text.slice(0, params.value)}{${members}}${after}`, 'latin1')
}

export function paramsWithoutAnswer<P extends Params>(params: P): P {
  if (params === undefined) return params
  return Object.fromEntries(Object.entries(params).filter(([key]) => !OURS.includes(key))) as P
}
