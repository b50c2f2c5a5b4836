// A request on its way from one replica to the one that holds what it needs: sealed for that boot of that replica, good for a moment and
// once. Who calls is said in it: the replica that the caller came to has proved it.
import { createHash, randomBytes } from 'node:crypto'
import { deserialize, serialize } from 'node:v8'
import { isRecord } from '../../protocol/json.ts'
import type { Principal } from '../../protocol/principal.ts'
import { type SealKey, seal, unseal } from '../../tokens/seal.ts'

export interface Handed {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
  readonly rawHeaders: readonly string[]
  readonly principal: Principal
  /** Of the client. */
  readonly address: string
  readonly viaProxy: boolean
  /** Of the request: one at both replicas. */
  readonly id: string
  /** Clock at arrival. */
  readonly at: number
}

/** Largest sealed head; the head of a request is bounded where it arrives. */
export const MOST_HEAD = 512 * 1024
/** How far the clocks of two replicas may be apart, and how long the way may be. */
export const SKEW = 60_000

export interface EnvelopeKeys {
  sealKeys(): readonly SealKey[]
}

const bindingOf = (to: string): string => `replica-hop\0${to}`
const digestOf = (body: Buffer): string => createHash('sha256').update(body).digest('base64url')

/** Length of the sealed head, the head, and the body as it came. */
export function pack(
  { sealKeys }: EnvelopeKeys,
  to: string,
  { handed, body }: { handed: Handed; body: Buffer },
  now: number,
): Buffer {
  const { principal, ...plain } = handed
  const payload = {
    ...plain,
    // Written as it is: it holds sets, and what JSON leaves out.
    principal: serialize(principal).toString('base64'),
    body: digestOf(body),
    sent: now,
    nonce: randomBytes(16).toString('base64url'),
  }
  const head = Buffer.from(seal(sealKeys(), bindingOf(to), payload))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(head.length)
  return Buffer.concat([length, head, body])
}

/**
 * Of the beginning of an envelope: whether it was sealed for this boot. A number: so many bytes have to be there before that can be said.
 * Who has proved nothing is not listened to any further.
 */
export function isSealedFor({ sealKeys }: EnvelopeKeys, self: string, bytes: Buffer): boolean | number {
  if (bytes.length < 4) return 4
  const end = 4 + bytes.readUInt32BE(0)
  if (end === 4 || end > 4 + MOST_HEAD) return false
  return bytes.length < end
    ? end
    : unseal(sealKeys(), bindingOf(self), bytes.toString('latin1', 4, end), MOST_HEAD) !== undefined
}

export interface Unpacked {
  readonly handed: Handed
  readonly body: Buffer
  /** Tells this sending from every other. */
  readonly nonce: string
}

/** Why an envelope is not taken: for the log. */
export type Refused = 'malformed' | 'not_sealed_for_us' | 'altered' | 'stale'

export function unpack({ sealKeys }: EnvelopeKeys, self: string, bytes: Buffer, now: number): Unpacked | Refused {
  const length = bytes.length < 4 ? 0 : bytes.readUInt32BE(0)
  if (length === 0 || length > MOST_HEAD || bytes.length < 4 + length) return 'malformed'
  const payload = unseal(sealKeys(), bindingOf(self), bytes.toString('latin1', 4, 4 + length), MOST_HEAD)
  if (payload === undefined) return 'not_sealed_for_us'
  const { principal, body: digest, sent, nonce, ...handed } = payload
  const body = bytes.subarray(4 + length)
  if (digest !== digestOf(body)) return 'altered'
  if (typeof sent !== 'number' || Math.abs(now - sent) > SKEW) return 'stale'
  if (typeof nonce !== 'string' || typeof principal !== 'string' || !isRecord(handed)) return 'malformed'
  // What opens here was sealed by a replica of ours, so it has the form that a replica of ours writes.
  const proved = deserialize(Buffer.from(principal, 'base64')) as Principal
  return { handed: { ...(handed as unknown as Omit<Handed, 'principal'>), principal: proved }, body, nonce }
}
