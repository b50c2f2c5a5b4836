// Questions of servers to the client of an aggregate: each goes out under a sealed id, so that the client's answer finds the very
// server and session that asked, and no other answer finds any. MCP 2025-11-25, Base protocol: responses.
import { createHash } from 'node:crypto'
import { RpcError } from '../../../protocol/errors.ts'
import type { RpcId } from '../../../protocol/jsonrpc.ts'
import { RPC } from '../../../protocol/mcp.ts'
import type { Marks } from '../../../store/ephemeral.ts'
import type { SealKey } from '../../../tokens/seal.ts'
import { sealedNotes } from '../../../tokens/sealed-note.ts'

/** Who is asked: a person's session at an aggregate. */
export interface Asked {
  readonly subject: string
  /** Id of the aggregate session. */
  readonly session: string
}

/** Who asks: a server, in the session it has with us for that client. */
export interface Question {
  readonly server: string
  /** Its session id and revision, for the head of the answer. */
  readonly session: string | undefined
  readonly revision: string
  /** The server's own id of the question. */
  readonly id: RpcId
}

export interface Questions {
  /** The id that the client sees. */
  seal(asked: Asked, question: Question): string
  /** The id under which a question that has gone out is known to the client; `undefined` for one of another replica or long ago. */
  sealed(asked: Asked, question: Pick<Question, 'server' | 'id'>): string | undefined
  /** Takes an answer once. `undefined`: forged, another's, too late, or answered already. */
  consume(asked: Asked, id: RpcId): Promise<Question | undefined>
}

/** Longer than people take; what is older is no longer waited for. */
const LIFE = 3600_000
const REMEMBERED = 10_000

export function createQuestions(needs: { sealKeys(): readonly SealKey[]; marks: Marks; now(): number }): Questions {
  const { sealKeys, marks, now } = needs
  const ids = sealedNotes({ sealKeys, clock: now, life: LIFE })
  // For a server that takes its question back: sealed anew it would have another id.
  const sent = new Map<string, string>()
  return {
    seal(asked, question) {
      const { server, session, revision, id } = question
      const text = ids.seal(bindingOf(asked), { s: server, u: session, r: revision, i: id })
      if (sent.size >= REMEMBERED) {
        const [oldest] = sent.keys()
        if (oldest !== undefined) sent.delete(oldest)
      }
      sent.set(keyOf(asked, question), text)
      return text
    },
    sealed: (asked, question) => sent.get(keyOf(asked, question)),
    async consume(asked, id) {
      const note = typeof id === 'string' ? ids.open(bindingOf(asked), id) : undefined
      const question = note && parseQuestion(note.said)
      if (note === undefined || question === undefined) return undefined
      sent.delete(keyOf(asked, question))
      const digest = createHash('sha256').update(String(id)).digest('base64url')
      return (await marks.markSeen(`question:${digest}`, note.expiresAt, now())) ? question : undefined
    },
  }
}

/** The client's answer with the server's own id in place of ours: nothing else of it is written anew. Throws RpcError 400. */
export function restoreId(body: Buffer, sealedId: string, id: RpcId): Buffer {
  const written = Buffer.from(`"${sealedId}"`)
  const at = body.indexOf(written)
  // A sealed id is long and random: found twice, or spelled in escapes, somebody put it there.
  if (at === -1 || body.indexOf(written, at + 1) !== -1)
    throw new RpcError(RPC.invalidRequest, 'bad_id', 'The id is not written as it was sent.')
  return Buffer.concat([body.subarray(0, at), Buffer.from(JSON.stringify(id)), body.subarray(at + written.length)])
}

const bindingOf = ({ subject, session }: Asked): string => `mcp-question\0${subject}\0${session}`
const keyOf = (asked: Asked, { server, id }: Pick<Question, 'server' | 'id'>): string =>
  JSON.stringify([asked.subject, asked.session, server, id])

function parseQuestion({ s, u, r, i }: Readonly<Record<string, unknown>>): Question | undefined {
  if (typeof s !== 'string' || typeof r !== 'string') return undefined
  if (typeof i !== 'string' && typeof i !== 'number') return undefined
  return { server: s, session: typeof u === 'string' ? u : undefined, revision: r, id: i }
}
