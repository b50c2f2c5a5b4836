import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ApiTokenRecord } from '../store/api-tokens.ts'
import { hashApiToken, mintApiToken, secretIdOf } from './api-token.ts'
import { type ApiTokenVerifier, apiTokenVerifier } from './api-token-verify.ts'

const NOW = 1_800_000_000_000
const KEY = 'key'
const secret = mintApiToken(randomBytes)
const older = mintApiToken(randomBytes)

let now: number
let epoch: number
let stale: boolean
let revoked: Set<string>
let stored: ApiTokenRecord
let reads: string[]
let used: number[]
let verifier: ApiTokenVerifier

beforeEach(() => {
  ;[now, epoch, stale, revoked, reads, used] = [NOW, 1, false, new Set(), [], []]
  stored = {
    id: 'tok_1',
    name: 'ci',
    description: undefined,
    kind: 'person',
    owner: 'ann',
    createdBy: 'ann',
    mask: '',
    secretHash: hashApiToken(secret, KEY),
    previousHash: undefined,
    previousUntil: undefined,
    scopes: undefined,
    reach: undefined,
    team: undefined,
    conditions: {},
    createdAt: NOW,
    issuedAt: NOW,
    expiresAt: NOW + 3_600_000,
    lastUsedAt: undefined,
    revokedAt: undefined,
    revokedBy: undefined,
    revokedReason: undefined,
    rotateEvery: undefined,
    rotateAt: undefined,
  }
  verifier = apiTokenVerifier({
    tokens: {
      async findBySecret(hash) {
        reads.push(hash)
        return [stored.secretHash, stored.previousHash].includes(hash) ? stored : undefined
      },
      markUsed: async (_id, at) => void used.push(at),
    },
    revocations: {
      epoch: () => epoch,
      isStale: () => stale,
      isRevoked: ({ jti, family }) => revoked.has(jti) || revoked.has(family ?? ''),
    },
    secretKey: () => KEY,
    clock: () => now,
    onError: () => undefined,
  })
})

const refused = (reason: string) => expect.objectContaining({ code: 'invalid_token', reason })
const rotate = (until: number) => {
  stored = {
    ...stored,
    secretHash: hashApiToken(secret, KEY),
    previousHash: hashApiToken(older, KEY),
    previousUntil: until,
  }
}

describe('an API token', () => {
  it('is found by the hash of its secret alone', async () => {
    expect(await verifier.verify(secret)).toEqual({
      token: stored,
      secretId: secretIdOf(stored.secretHash),
      endsAt: stored.expiresAt,
    })
    expect(reads).toEqual([stored.secretHash])
  })

  it('with a wrong checksum does not reach the store; an unknown one does, and is refused alike', async () => {
    const last = secret.endsWith('0') ? '1' : '0'
    await expect(verifier.verify(secret.slice(0, -1) + last)).rejects.toEqual(refused('malformed'))
    expect(reads).toEqual([])
    await expect(verifier.verify(mintApiToken(randomBytes))).rejects.toEqual(refused('unknown_token'))
    expect(reads).toHaveLength(1)
  })

  it('ends when it says so, also while it is remembered', async () => {
    now = stored.expiresAt - 1
    await verifier.verify(secret)
    expect(verifier.recall(secret)?.token.id).toBe('tok_1')
    now = stored.expiresAt
    expect(verifier.recall(secret)).toBeUndefined()
    await expect(verifier.verify(secret)).rejects.toEqual(refused('expired'))
  })

  it.each([
    ['the row says so', () => (stored = { ...stored, revokedAt: NOW })],
    ['the list of revocations names it', () => revoked.add('tok_1')],
    ['the list names this secret', () => revoked.add(secretIdOf(stored.secretHash))],
  ])('is revoked when %s, as soon as the list grows', async (_how, revoke) => {
    await verifier.verify(secret)
    revoke()
    expect(verifier.recall(secret)?.token.id).toBe('tok_1')
    epoch++
    expect(verifier.recall(secret)).toBeUndefined()
    await expect(verifier.verify(secret)).rejects.toEqual(refused('revoked'))
  })
})

describe('after a rotation', () => {
  it('both secrets work until the transition ends, then the new one alone', async () => {
    rotate(NOW + 1000)
    expect((await verifier.verify(older)).endsAt).toBe(NOW + 1000)
    expect((await verifier.verify(secret)).endsAt).toBe(stored.expiresAt)
    now = NOW + 1000
    expect(verifier.recall(older)).toBeUndefined()
    await expect(verifier.verify(older)).rejects.toEqual(refused('expired'))
    stored = { ...stored, previousUntil: undefined }
    await expect(verifier.verify(older)).rejects.toEqual(refused('expired'))
    expect((await verifier.verify(secret)).token.id).toBe('tok_1')
  })

  it('elsewhere, what was remembered is asked for again within seconds', async () => {
    await verifier.verify(secret)
    stored = { ...stored, secretHash: hashApiToken(older, KEY) }
    now += 4_999
    expect(verifier.recall(secret)).toBeDefined()
    now += 1
    expect(verifier.recall(secret)).toBeUndefined()
    await expect(verifier.verify(secret)).rejects.toEqual(refused('unknown_token'))
  })

  it('here, at once', async () => {
    await verifier.verify(secret)
    verifier.forget()
    expect(verifier.recall(secret)).toBeUndefined()
  })
})

describe('what is remembered', () => {
  it('is never another token', async () => {
    await verifier.verify(secret)
    expect([verifier.recall(`${secret} `), verifier.recall(older), verifier.recall('')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it('counts for nothing when the clock was set back, or revocations cannot be read', async () => {
    await verifier.verify(secret)
    now -= 1
    expect(verifier.recall(secret)).toBeUndefined()
    now += 1
    stale = true
    expect(verifier.recall(secret)).toBeUndefined()
    await expect(verifier.verify(secret)).rejects.toEqual(
      expect.objectContaining({ status: 503, reason: 'revocations_stale' }),
    )
  })
})

it('writes the last use at most once a minute, behind the answer', async () => {
  const live = await verifier.verify(secret)
  verifier.markUsed(live)
  expect(used).toEqual([])
  now += 59_999
  verifier.markUsed(live)
  now += 1
  verifier.markUsed(live)
  await new Promise(setImmediate)
  expect(used).toEqual([NOW, NOW + 60_000])
})
