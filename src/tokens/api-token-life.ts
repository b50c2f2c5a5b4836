// The life of an API token: created, shown once, listed without its secret, renamed, rotated, revoked. Every act is in the record
// before it is answered.
import { randomBytes } from 'node:crypto'
import type { Clock } from '../protocol/clock.ts'
import { RequestError } from '../protocol/errors.ts'
import type { ApiTokenRecord, ApiTokens } from '../store/api-tokens.ts'
import type { Revocations } from '../store/durable.ts'
import { hashApiToken, maskApiToken, mintApiToken, secretIdOf } from './api-token.ts'
import {
  type ApiTokenActor,
  type ApiTokenBounds,
  type ApiTokenOwner,
  type AskedApiToken,
  checkAsked,
  checkRotatable,
  conflict,
  expiryOf,
  ownerIdOf,
  rotationDueOf,
  transitionEndOf,
} from './api-token-rules.ts'

export interface ApiTokenAct {
  readonly act: 'token_created' | 'token_updated' | 'token_rotated' | 'token_revoked'
  readonly reason: string
  readonly token: ApiTokenRecord
}

/** What an act with a token says of it; the token is the family of its calls. */
export const aboutToken = ({ owner, id, name }: ApiTokenRecord) => ({ subject: owner, family: id, name })

/** An actor who can be held to what they did. */
export interface RecordedActor extends ApiTokenActor {
  /** Resolves once it is committed; what it rejects is not done. */
  record(act: ApiTokenAct): Promise<void>
}

export interface IssuedApiToken {
  readonly token: ApiTokenRecord
  /** Told this once, kept nowhere. */
  readonly secret: string
}

export interface ApiTokenLife {
  create(actor: RecordedActor, asked: AskedApiToken): Promise<IssuedApiToken>
  /** Hides the tokens of others from whoever is no administrator. Throws RequestError 404. */
  get(actor: ApiTokenActor, id: string): Promise<ApiTokenRecord>
  list(
    actor: ApiTokenActor,
    which: { owner?: string | undefined; all: boolean; limit: number; offset: number },
  ): Promise<ApiTokenRecord[]>
  rename(
    actor: RecordedActor,
    id: string,
    to: { name?: string | undefined; description?: string | null | undefined },
  ): Promise<ApiTokenRecord>
  rotate(
    actor: RecordedActor,
    id: string,
    asked: { transition: number | undefined; ttl: number | undefined },
  ): Promise<IssuedApiToken>
  /** Once: a second time changes nothing. */
  revoke(actor: RecordedActor, id: string, reason: string | undefined): Promise<void>
}

interface Needs {
  readonly tokens: ApiTokens
  readonly revocations: Pick<Revocations, 'add'>
  /** After a change: what this process remembers is read again. */
  onChange(): Promise<void>
  findOwner(id: string): Promise<ApiTokenOwner | undefined>
  readonly bounds: ApiTokenBounds
  readonly perOwner: number
  secretKey(): string
  readonly clock: Clock
}

export function apiTokenLife(needs: Needs): ApiTokenLife {
  const { tokens, bounds, clock } = needs

  function mint(): { secret: string; secretHash: string; mask: string } {
    const secret = mintApiToken(randomBytes)
    return { secret, secretHash: hashApiToken(secret, needs.secretKey()), mask: maskApiToken(secret) }
  }

  async function get(actor: ApiTokenActor, id: string): Promise<ApiTokenRecord> {
    const token = await tokens.find(id)
    if (token === undefined || (token.owner !== actor.id && !actor.administrator))
      throw new RequestError(404, 'no_such_token', 'There is no such token.')
    return token
  }

  return {
    async create(actor, asked) {
      const owner = ownerIdOf(asked, actor)
      checkAsked(asked, { actor, owner: await needs.findOwner(owner), bounds })
      const now = clock()
      const expiresAt = expiryOf(asked.ttl, now, bounds)
      const { secret, ...kept } = mint()
      const { ttl: _, ...wanted } = asked
      const token: ApiTokenRecord = {
        ...NEW,
        ...wanted,
        ...kept,
        id: `tok_${randomBytes(12).toString('base64url')}`,
        owner,
        createdBy: actor.id,
        createdAt: now,
        issuedAt: now,
        expiresAt,
        rotateAt: rotationDueOf(asked, { now, expiresAt }),
      }
      const outcome = await tokens.create(token, needs.perOwner)
      if (outcome === 'name_taken') throw nameTaken()
      if (outcome === 'too_many')
        throw conflict('too_many_tokens', 'The owner has as many tokens as are allowed (tokens.perPrincipal).')
      try {
        await actor.record({ act: 'token_created', reason: asked.kind, token })
      } catch (error) {
        // Nobody was told its secret yet.
        await tokens.remove(token.id)
        throw error
      }
      return { token, secret }
    },

    get,

    list(actor, { owner, all, limit, offset }) {
      const living = all ? undefined : clock()
      return tokens.list({ owner: actor.administrator ? owner : actor.id, living, limit, offset })
    },

    async rename(actor, id, to) {
      const token = await get(actor, id)
      const name = to.name ?? token.name
      const description = to.description === undefined ? token.description : (to.description ?? undefined)
      const renamed = { ...token, name, description }
      if ((await tokens.rename(id, renamed)) === 'name_taken') throw nameTaken()
      try {
        await actor.record({ act: 'token_updated', reason: 'renamed', token: renamed })
      } catch (error) {
        await tokens.rename(id, token)
        throw error
      }
      return renamed
    },

    async rotate(actor, id, asked) {
      const token = await get(actor, id)
      const now = clock()
      checkRotatable(token, now)
      // A new secret has its whole life before it; what the configuration shortened meanwhile stays short.
      const expiresAt = expiryOf(
        asked.ttl ?? Math.min(token.expiresAt - token.issuedAt, bounds.longestTtl),
        now,
        bounds,
      )
      const previousUntil = transitionEndOf(asked.transition, token, { now, bounds })
      const rotateAt = token.rotateEvery === undefined ? undefined : Math.min(now + token.rotateEvery, expiresAt)
      const { secret, ...kept } = mint()
      await actor.record({
        act: 'token_rotated',
        reason: previousUntil === undefined ? 'at_once' : 'transition',
        token,
      })
      await endTransition(needs, token)
      const rotated = await tokens.rotate({
        ...kept,
        id,
        oldHash: token.secretHash,
        previousUntil,
        expiresAt,
        rotateAt,
        now,
      })
      if (rotated === undefined) throw conflict('changed_meanwhile', 'The token was changed at the same time.')
      if (previousUntil === undefined) await endSecret(needs, token, token.secretHash)
      await needs.onChange()
      return { token: rotated, secret }
    },

    async revoke(actor, id, reason) {
      const token = await get(actor, id)
      if (token.revokedAt !== undefined) return
      await actor.record({
        act: 'token_revoked',
        reason: token.owner === actor.id ? 'by_owner' : 'by_administrator',
        token,
      })
      await tokens.revoke({ id, at: clock(), by: actor.id, reason, expiresAt: token.expiresAt })
      await needs.onChange()
    },
  }
}

const NEW = {
  previousHash: undefined,
  previousUntil: undefined,
  lastUsedAt: undefined,
  revokedAt: undefined,
  revokedBy: undefined,
  revokedReason: undefined,
} as const

const nameTaken = () => conflict('name_taken', 'name: The owner has a token of this name.')

type Ends = Pick<Needs, 'tokens' | 'revocations' | 'clock'>

/** Streams that the old secret opened before it was replaced end with it. */
export async function endTransition(needs: Ends, token: ApiTokenRecord): Promise<void> {
  const { id, previousHash, previousUntil } = token
  if (previousHash === undefined || previousUntil === undefined) return
  await endSecret(needs, token, previousHash)
  await needs.tokens.endPrevious(id, previousHash)
}

async function endSecret({ revocations, clock }: Ends, { expiresAt }: ApiTokenRecord, hash: string): Promise<void> {
  await revocations.add({ kind: 'jti', value: secretIdOf(hash), at: clock(), expiresAt })
}
