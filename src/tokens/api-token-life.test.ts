// Who may do what with API tokens, and that nothing is half done.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { hashApiToken } from './api-token.ts'
import { type ApiTokenAct, type ApiTokenLife, apiTokenLife, type RecordedActor } from './api-token-life.ts'
import type { ApiTokenOwner, AskedApiToken } from './api-token-rules.ts'
import { watchApiTokens } from './api-token-watch.ts'

const NOW = 1_800_000_000_000
const HOUR = 3_600_000
const KEY = 'key'

let store: Store
let now: number
let acts: (ApiTokenAct | { act: string; token: { id: string } })[]
let recording: boolean
let owners: Record<string, ApiTokenOwner>
let life: ApiTokenLife

const ACTIVE: ApiTokenOwner = { teams: ['gate'], disabled: false, admitted: true }
async function record(act: (typeof acts)[number]): Promise<void> {
  if (!recording) throw new Error('the record cannot be written')
  acts.push(act)
}
const actor = (given: Partial<RecordedActor> = {}): RecordedActor => ({
  id: 'ann',
  administrator: false,
  reach: undefined,
  scopes: undefined,
  record,
  ...given,
})
const ADMIN = () => actor({ id: 'root', administrator: true })
const asked = (given: Partial<AskedApiToken> = {}): AskedApiToken => ({
  name: 'ci',
  description: undefined,
  kind: 'person',
  owner: undefined,
  ttl: undefined,
  scopes: undefined,
  reach: undefined,
  team: undefined,
  conditions: {},
  rotateEvery: undefined,
  rotateAt: undefined,
  ...given,
})
const refusal = (status: number, reason: string) => expect.objectContaining({ status, reason })

beforeEach(async () => {
  ;[now, acts, recording, owners] = [NOW, [], true, { ann: ACTIVE, bob: ACTIVE }]
  store = await openStore({ url: 'sqlite::memory:', directory: '.' })
  life = apiTokenLife({
    tokens: store.durable.apiTokens,
    revocations: store.durable.revocations,
    onChange: async () => undefined,
    findOwner: async (id) => owners[id],
    bounds: {
      longestTtl: 24 * HOUR,
      transition: HOUR / 2,
      scopes: ['mcp:tools', 'github:read'],
      isReachWithin: (inner, outer) => inner.every((target) => outer.includes(target)),
    },
    perOwner: 3,
    secretKey: () => KEY,
    clock: () => now,
  })
})
afterEach(() => store.close())

const stored = () => store.durable.apiTokens.list({ limit: 50, offset: 0 })

describe('creating', () => {
  it('a token of one’s own: as long as may be, its secret told once and kept as a hash alone', async () => {
    const { token, secret } = await life.create(actor(), asked())
    expect(await stored()).toEqual([token])
    expect(token).toMatchObject({ owner: 'ann', createdBy: 'ann', kind: 'person', expiresAt: NOW + 24 * HOUR })
    expect(token.secretHash).toBe(hashApiToken(secret, KEY))
    expect(JSON.stringify(await stored())).not.toContain(secret.slice(3, 33))
    expect(acts).toEqual([{ act: 'token_created', reason: 'person', token }])
  })

  it.each<[string, Partial<RecordedActor>, Partial<AskedApiToken>, number, string]>([
    ['in another’s name', {}, { owner: 'bob' }, 403, 'not_yours'],
    ['of a service', {}, { kind: 'service', owner: 'ci' }, 403, 'administrators_only'],
    ['in a team its owner is not of', {}, { team: 'board' }, 403, 'not_in_team'],
    ['beyond its creator’s reach', { reach: ['a/x'] }, { reach: ['a/x', 'a/y'] }, 403, 'more_than_creator'],
    ['without a reach, of a creator who has one', { reach: ['a/x'] }, {}, 403, 'more_than_creator'],
    [
      'beyond its creator’s scopes',
      { scopes: ['github:read'] },
      { scopes: ['mcp:tools', 'github:read'] },
      403,
      'more_than_creator',
    ],
    ['without scopes, of a creator bound to some', { scopes: ['github:read'] }, {}, 403, 'more_than_creator'],
    ['with a scope that opens nothing', {}, { scopes: ['portcullis:admin'] }, 400, 'unknown_scope'],
    ['that lives too long', {}, { ttl: 24 * HOUR + 1 }, 400, 'ttl_too_long'],
    ['that hardly lives', {}, { ttl: 59_999 }, 400, 'ttl_too_short'],
    ['whose rotation is due after its end', {}, { rotateEvery: 25 * HOUR }, 400, 'bad_rotation'],
    ['whose rotation was due before', {}, { rotateAt: NOW }, 400, 'bad_rotation'],
    ['of an account that is not there', { administrator: true, id: 'root' }, { owner: 'nobody' }, 400, 'unknown_owner'],
    ['of an administrator without an account', { administrator: true, id: 'root' }, {}, 400, 'unknown_owner'],
    [
      'of a service without a good name',
      { administrator: true },
      { kind: 'service', owner: 'a b' },
      400,
      'bad_service_name',
    ],
  ])('refuses one %s, and leaves nothing', async (_what, who, what, status, reason) => {
    await expect(life.create(actor(who), asked(what))).rejects.toEqual(refusal(status, reason))
    expect([await stored(), acts]).toEqual([[], []])
  })

  it.each<[string, Partial<RecordedActor>, Partial<AskedApiToken>]>([
    ['in one’s own name', {}, { owner: 'ann' }],
    ['in one’s team', {}, { team: 'gate' }],
    [
      'within one’s reach and scopes',
      { reach: ['a/x'], scopes: ['mcp:tools'] },
      { reach: ['a/x'], scopes: ['mcp:tools'] },
    ],
    ['of a service, as an administrator', { administrator: true }, { kind: 'service', owner: 'ci', team: 'board' }],
    ['of another, as an administrator', { administrator: true }, { owner: 'bob' }],
    ['that lives a minute', {}, { ttl: 60_000 }],
    ['with a rotation within its life', {}, { rotateEvery: 24 * HOUR }],
  ])('makes one %s', async (_what, who, what) => {
    expect((await life.create(actor(who), asked(what))).secret).toMatch(/^pc_/)
  })

  it.each([
    ['was disabled', { ...ACTIVE, disabled: true }],
    ['is not admitted', { ...ACTIVE, admitted: false }],
  ])('refuses one for an account that %s', async (_what, owner) => {
    owners = { ann: owner }
    await expect(life.create(actor(), asked())).rejects.toEqual(refusal(400, 'unknown_owner'))
  })

  it('gives a name once and three tokens at most', async () => {
    await life.create(actor(), asked())
    await expect(life.create(actor(), asked())).rejects.toEqual(refusal(409, 'name_taken'))
    await life.create(actor(), asked({ name: 'two' }))
    await life.create(actor(), asked({ name: 'three' }))
    await expect(life.create(actor(), asked({ name: 'four' }))).rejects.toEqual(refusal(409, 'too_many_tokens'))
    await life.create(actor({ id: 'bob' }), asked({ name: 'four' }))
  })

  it('leaves nothing when it cannot be recorded', async () => {
    recording = false
    await expect(life.create(actor(), asked())).rejects.toThrow('cannot be written')
    expect(await stored()).toEqual([])
  })
})

describe('looking', () => {
  it('shows everybody their own, and administrators all', async () => {
    const mine = await life.create(actor(), asked())
    const theirs = await life.create(actor({ id: 'bob' }), asked())
    const page = { all: false, limit: 9, offset: 0 }
    const names = async (who: RecordedActor, owner?: string) =>
      (await life.list(who, { ...page, owner })).map((token) => token.owner).sort()
    expect(await names(actor())).toEqual(['ann'])
    expect(await names(actor(), 'bob')).toEqual(['ann'])
    expect(await names(ADMIN())).toEqual(['ann', 'bob'])
    expect(await names(ADMIN(), 'bob')).toEqual(['bob'])
    expect((await life.get(ADMIN(), theirs.token.id)).id).toBe(theirs.token.id)
    await expect(life.get(actor(), theirs.token.id)).rejects.toEqual(refusal(404, 'no_such_token'))
    await life.revoke(actor(), mine.token.id, undefined)
    expect([await names(actor()), (await life.list(actor(), { ...page, all: true })).length]).toEqual([[], 1])
  })
})

describe('changing', () => {
  it('renames and describes; not another’s, not to a name that is taken, not unrecorded', async () => {
    const { token } = await life.create(actor(), asked({ description: 'old' }))
    await life.create(actor(), asked({ name: 'taken' }))
    expect(await life.rename(actor(), token.id, { name: 'new' })).toMatchObject({ name: 'new', description: 'old' })
    expect((await life.rename(actor(), token.id, { description: null })).description).toBeUndefined()
    await expect(life.rename(actor({ id: 'bob' }), token.id, { name: 'x' })).rejects.toEqual(
      refusal(404, 'no_such_token'),
    )
    await expect(life.rename(actor(), token.id, { name: 'taken' })).rejects.toEqual(refusal(409, 'name_taken'))
    recording = false
    await expect(life.rename(actor(), token.id, { name: 'unseen' })).rejects.toThrow('cannot be written')
    expect((await store.durable.apiTokens.find(token.id))?.name).toBe('new')
  })

  it('revokes once, with the entry that every replica reads, and not another’s', async () => {
    const { token } = await life.create(actor(), asked())
    await expect(life.revoke(actor({ id: 'bob' }), token.id, 'x')).rejects.toEqual(refusal(404, 'no_such_token'))
    recording = false
    await expect(life.revoke(actor(), token.id, 'x')).rejects.toThrow('cannot be written')
    expect((await store.durable.apiTokens.find(token.id))?.revokedAt).toBeUndefined()
    recording = true
    await life.revoke(ADMIN(), token.id, 'lost')
    await life.revoke(ADMIN(), token.id, 'again')
    expect(await store.durable.apiTokens.find(token.id)).toMatchObject({ revokedBy: 'root', revokedReason: 'lost' })
    expect(acts.map(({ act }) => act)).toEqual(['token_created', 'token_revoked'])
    expect((await store.durable.revocations.since(0)).entries).toMatchObject([{ kind: 'family', value: token.id }])
  })
})

describe('rotating', () => {
  const AS_USUAL = { transition: undefined, ttl: undefined }
  const revoked = async () => (await store.durable.revocations.since(0)).entries.map(({ value }) => value)

  it('keeps the id and gives a new secret a whole life, the old one the transition', async () => {
    const first = await life.create(actor(), asked({ ttl: 2 * HOUR, rotateEvery: HOUR }))
    now = NOW + HOUR
    const second = await life.rotate(actor(), first.token.id, AS_USUAL)
    expect(second.secret).not.toBe(first.secret)
    expect(second.token).toMatchObject({
      id: first.token.id,
      secretHash: hashApiToken(second.secret, KEY),
      previousHash: hashApiToken(first.secret, KEY),
      previousUntil: now + HOUR / 2,
      expiresAt: now + 2 * HOUR,
      rotateAt: now + HOUR,
    })
    expect(await revoked()).toEqual([])
    await expect(life.rotate(actor(), first.token.id, AS_USUAL)).rejects.toEqual(refusal(409, 'transition_running'))
  })

  it('lets the old secret live no longer than it would have', async () => {
    const first = await life.create(actor(), asked({ ttl: HOUR }))
    const second = await life.rotate(actor(), first.token.id, { transition: 3 * HOUR, ttl: 4 * HOUR })
    expect([second.token.previousUntil, second.token.expiresAt]).toEqual([NOW + HOUR, NOW + 4 * HOUR])
  })

  it('ends the old secret at once where the transition is 0, and later when its time is over', async () => {
    const first = await life.create(actor(), asked())
    const second = await life.rotate(actor(), first.token.id, { transition: 0, ttl: undefined })
    expect([second.token.previousUntil, await revoked()]).toEqual([undefined, [first.token.secretHash.slice(0, 22)]])
    const third = await life.rotate(actor(), first.token.id, AS_USUAL)
    now += HOUR / 2
    await life.rotate(actor(), third.token.id, AS_USUAL)
    expect(await revoked()).toContain(second.token.secretHash.slice(0, 22))
  })

  it.each<[string, (id: string) => unknown, { transition?: number; ttl?: number }, number, string]>([
    ['has expired', () => (now += 24 * HOUR), {}, 409, 'token_ended'],
    ['was revoked', (id) => life.revoke(actor(), id, undefined), {}, 409, 'token_ended'],
    ['is asked a transition of months', () => undefined, { transition: 8 * 24 * HOUR }, 400, 'transition_too_long'],
    ['is asked a life beyond the limit', () => undefined, { ttl: 25 * HOUR }, 400, 'ttl_too_long'],
    ['cannot be recorded', () => (recording = false), {}, 0, ''],
  ])('refuses a token that %s, which stays as it was', async (_what, bend, { transition, ttl }, status, reason) => {
    const { token } = await life.create(actor(), asked())
    await bend(token.id)
    const before = await stored()
    const rotating = life.rotate(actor(), token.id, { transition, ttl })
    await (status === 0
      ? expect(rotating).rejects.toThrow()
      : expect(rotating).rejects.toEqual(refusal(status, reason)))
    expect(await stored()).toEqual(before)
  })

  it('refuses another’s token, and one of two rotations at once', async () => {
    const { token } = await life.create(actor(), asked())
    await expect(life.rotate(actor({ id: 'bob' }), token.id, AS_USUAL)).rejects.toEqual(refusal(404, 'no_such_token'))
    const both = await Promise.allSettled([1, 2].map(() => life.rotate(actor(), token.id, AS_USUAL)))
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })
})

describe('what happens by itself', () => {
  const look = () =>
    watchApiTokens({
      tokens: store.durable.apiTokens,
      revocations: store.durable.revocations,
      expiresSoon: 2 * HOUR,
      record,
      clock: () => now,
    })
  const told = () => acts.filter(({ act }) => act !== 'token_created' && act !== 'token_rotated').map(({ act }) => act)

  it('tells once that a token ends soon, that its rotation is due, and again after a rotation', async () => {
    const { token } = await life.create(actor(), asked({ rotateEvery: 23 * HOUR }))
    await look()
    expect(told()).toEqual([])
    now += 22 * HOUR
    await look()
    await look()
    expect(told()).toEqual(['token_expires_soon'])
    now += HOUR
    await look()
    expect(told()).toEqual(['token_expires_soon', 'token_rotation_due'])
    await life.rotate(actor(), token.id, { transition: 0, ttl: undefined })
    now += 23 * HOUR
    await look()
    expect(told()).toHaveLength(4)
  })

  it('tells it at the next look when it could not be recorded, one by one', async () => {
    await life.create(actor(), asked())
    await life.create(actor(), asked({ name: 'two' }))
    now += 23 * HOUR
    recording = false
    await expect(look()).rejects.toThrow('cannot be written')
    recording = true
    await look()
    expect(told()).toEqual(['token_expires_soon', 'token_expires_soon'])
  })

  it('ends what the old secret opened when its transition is over', async () => {
    const { token } = await life.create(actor(), asked())
    await life.rotate(actor(), token.id, { transition: HOUR, ttl: undefined })
    await look()
    expect((await store.durable.revocations.since(0)).entries).toEqual([])
    now += HOUR
    await look()
    expect((await store.durable.revocations.since(0)).entries).toMatchObject([
      { kind: 'jti', value: token.secretHash.slice(0, 22) },
    ])
    expect((await stored())[0]?.previousUntil).toBeUndefined()
  })

  it('forgets what has long been dead', async () => {
    await life.create(actor(), asked())
    now += 24 * HOUR + 89 * 24 * HOUR
    await look()
    expect(await stored()).toHaveLength(1)
    now += 24 * HOUR
    await look()
    expect(await stored()).toEqual([])
  })
})
