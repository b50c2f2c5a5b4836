// Does a request need what lives in one process alone, and is that another's? Then it is handed on, before anything is decided or recorded
// here: the owner does both.
import type { Exchange } from '../../http/exchange.ts'
import type { SealKey } from '../../tokens/seal.ts'
import { type Asked, heldFor, heldState, type QuestionNeeds } from '../aggregate/questioned.ts'
import { ownerOfSession } from '../session.ts'
import type { HandOn } from './hand-on.ts'

/** A request once it is read. */
export interface Visited extends Asked {
  readonly exchange: Exchange
  /** The server is spoken to over a channel: the session of a handshake client is one of a process. */
  readonly channel: boolean
}

/** `true`: another replica has answered it. `undefined`: it is served here. */
export type Elsewhere = (visited: Visited) => Promise<boolean> | undefined

interface Needs extends QuestionNeeds {
  readonly self: string
  sealKeys(): readonly SealKey[]
  readonly handOn: HandOn
}

export function createElsewhere({ self, handOn, sealKeys, held, asking }: Needs): Elsewhere {
  function ownerOf(visited: Visited): string | undefined {
    const { principal, address, head, incoming } = visited
    const state = heldState(visited)
    if (state !== undefined) return held.ownerOf(heldFor(visited), state)
    if (head.session === undefined) return undefined
    const { subject } = principal
    if (visited.channel) return ownerOfSession(sealKeys(), { subject, server: address }, head.session)
    if (incoming?.kind !== 'response') return undefined
    return asking.ownerOf({ subject, session: head.session }, incoming.message.id)
  }

  return (visited) => {
    const { exchange, principal, incoming } = visited
    // One hop: whoever handed it on has asked the same.
    if (exchange.handed !== undefined) return undefined
    const owner = ownerOf(visited)
    if (owner === undefined || owner === self) return undefined
    return handOn(owner, { exchange, principal, body: incoming?.body, id: incoming?.id })
  }
}
