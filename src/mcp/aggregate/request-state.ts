// `requestState` of a server, on its way through the client and back: opened again only for the same person, place, thing and arguments,
// in time, and once. MCP 2026-07-28, Multi round-trip requests: an attacker may have written it.
import { createHash } from 'node:crypto'
import { canonicalDigest } from '../../protocol/canonical-json.ts'
import type { Clock } from '../../protocol/clock.ts'
import { RpcError } from '../../protocol/errors.ts'
import { RPC } from '../../protocol/mcp.ts'
import type { Marks } from '../../store/ephemeral.ts'
import type { SealKey } from '../../tokens/seal.ts'
import { sealedNotes } from '../../tokens/sealed-note.ts'

/** What a state was given for. */
export interface StateOf {
  readonly subject: string
  readonly view: string
  readonly server: string
  readonly method: string
  readonly name: string
  readonly args: unknown
}

export interface States {
  /** `undefined` for one too long to be carried. */
  seal(of: StateOf, state: string): string | undefined
  /** The server's own. Throws RpcError for anything but a state that was given for this and has not come back yet. */
  open(of: StateOf, sealed: string): Promise<string>
}

/** People are asked in between. */
const LIFE = 3600_000
const LONGEST = 16 * 1024
/** Sealed: base64 of the text, its frame and the nonce. */
const LONGEST_SEALED = 2 * LONGEST

export function createStates(needs: { sealKeys(): readonly SealKey[]; marks: Marks; now: Clock }): States {
  const { sealKeys, marks, now } = needs
  const notes = sealedNotes({ sealKeys, clock: now, life: LIFE, longest: LONGEST_SEALED })
  return {
    seal(of, state) {
      if (Buffer.byteLength(JSON.stringify(state)) > LONGEST) return undefined
      return notes.seal(bindingOf(of), { t: state })
    },
    async open(of, sealed) {
      const note = notes.open(bindingOf(of), sealed)
      const t = note?.said['t']
      if (note === undefined || typeof t !== 'string') throw invalid()
      const mark = `state:${createHash('sha256').update(sealed).digest('base64url')}`
      if (!(await marks.markSeen(mark, note.expiresAt, now()))) throw invalid()
      return t
    },
  }
}

function bindingOf({ subject, view, server, method, name, args }: StateOf): string {
  return ['mcp-state', subject, view, server, method, name, canonicalDigest(args ?? {})].join('\0')
}

/** One answer for every cause. */
const invalid = () => new RpcError(RPC.invalidParams, 'bad_state', 'Invalid params: requestState', { status: 200 })
