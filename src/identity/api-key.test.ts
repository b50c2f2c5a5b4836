import { beforeEach, describe, expect, it } from 'vitest'
import { BearerError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import type { ApiTokenConditions, ApiTokenRecord } from '../store/api-tokens.ts'
import { apiTokenWay, type LiveApiToken } from './api-key.ts'
import type { Attributes } from './attributes.ts'
import type { Credentials, TokenWay } from './way.ts'

/** A Wednesday, 10:30 in UTC. */
const NOW = Date.UTC(2027, 0, 6, 10, 30)
const ANN: Attributes = {
  email: 'ann@example.com',
  name: 'Ann',
  groups: ['data'],
  roles: ['analyst', 'from-idp'],
  givenRoles: ['from-idp'],
  teams: ['gate', 'ops'],
  claims: { department: 'ops' },
  disabled: false,
  admitted: true,
}
const TOKEN: ApiTokenRecord = {
  id: 'tok_1',
  name: 'ci',
  description: undefined,
  kind: 'person',
  owner: 'u1',
  createdBy: 'u1',
  mask: '',
  secretHash: 'h',
  previousHash: undefined,
  previousUntil: undefined,
  scopes: undefined,
  reach: undefined,
  team: undefined,
  conditions: {},
  createdAt: NOW,
  issuedAt: NOW,
  expiresAt: NOW + 1000,
  lastUsedAt: undefined,
  revokedAt: undefined,
  revokedBy: undefined,
  revokedReason: undefined,
  rotateEvery: undefined,
  rotateAt: undefined,
}

let now: number
let stored: ApiTokenRecord
let person: Attributes | undefined
let remembered: boolean
let hits: Map<string, number>
let looked: number
let used: number
let recalled: LiveApiToken | undefined
let told: string[]
let way: TokenWay

beforeEach(() => {
  ;[now, stored, person, remembered, hits, looked, used, told] = [NOW, TOKEN, ANN, false, new Map(), 0, 0, []]
  recalled = undefined
  const live = (): LiveApiToken => recalled ?? { token: stored, secretId: 's1', endsAt: stored.expiresAt }
  way = apiTokenWay({
    recall: (secret) => (remembered && secret === 'pc_good' ? live() : undefined),
    async verify(secret) {
      looked++
      if (secret !== 'pc_good') throw new BearerError('invalid_token', secret.slice(3), 'no')
      return live()
    },
    markUsed: () => void used++,
    attributes: { find: () => person, forget: () => undefined },
    resolveRoles: ({ id, teams, roles }) => [...roles, ...teams.map((team) => `of-${team}`), `is-${id}`],
    isWithin: (ranges, address) => ranges.includes(address),
    onRefused: ({ tokenId, reason }) => void told.push(`${tokenId} ${reason}`),
    counters: {
      async hit(key) {
        hits.set(key, (hits.get(key) ?? 0) + 1)
        return hits.get(key) ?? 0
      },
    },
    failures: 3,
    clock: () => now,
  })
})

const prove = async (secret = 'pc_good', address = '192.0.2.7'): Promise<Principal> =>
  way.prove(secret, { address } as Credentials, { server: 'a', resources: [] })
const refusal = (status: number, reason: string) => expect.objectContaining({ status, reason })
const limited = (conditions: ApiTokenConditions) => {
  stored = { ...TOKEN, conditions }
}

describe('whose it is', () => {
  it('a person’s: with what we know of them now', async () => {
    expect(await prove()).toMatchObject({
      kind: 'person',
      subject: 'u1',
      email: 'ann@example.com',
      roles: ['analyst', 'from-idp'],
      claims: { department: 'ops' },
      method: 'api_token',
      family: 'tok_1',
      tokenId: 's1',
      scopeRule: 'none',
      scopes: [],
      reach: undefined,
      expiresAt: NOW + 1000,
    })
    expect(used).toBe(1)
  })

  it('told by the same object while neither token nor account changed', async () => {
    remembered = true
    const live = { token: stored, secretId: 's1', endsAt: stored.expiresAt }
    recalled = live
    const first = await prove()
    expect(await prove()).toBe(first)
    person = { ...ANN, groups: ['other'] }
    expect(await prove()).toMatchObject({ groups: ['other'] })
    person = { ...ANN, disabled: true }
    await expect(prove()).rejects.toEqual(refusal(401, 'account_disabled'))
  })

  it('bound to scopes and a reach where it was given some', async () => {
    stored = { ...TOKEN, scopes: ['mcp:tools'], reach: ['files/*'] }
    expect(await prove()).toMatchObject({ scopeRule: 'covers', scopes: ['mcp:tools'], reach: ['files/*'] })
    stored = { ...TOKEN, scopes: [] }
    expect(await prove()).toMatchObject({ scopeRule: 'covers', scopes: [] })
  })

  it('a service’s: nobody’s account, with its team', async () => {
    ;[stored, person] = [{ ...TOKEN, kind: 'service', owner: 'service:ci', team: 'gate' }, undefined]
    const roles = ['of-gate', 'is-service:ci']
    expect(await prove()).toMatchObject({ kind: 'service', subject: 'service:ci', name: 'ci', teams: ['gate'], roles })
  })

  it('within one team: neither another team nor a role that comes from one', async () => {
    stored = { ...TOKEN, team: 'ops' }
    expect(await prove()).toMatchObject({ teams: ['ops'], groups: ['data'], roles: ['from-idp', 'of-ops', 'is-u1'] })
    person = { ...ANN, teams: ['gate'] }
    await expect(prove()).rejects.toEqual(refusal(401, 'team_left'))
  })

  it.each([
    ['is gone', undefined, 401, 'account_gone'],
    ['was disabled', { ...ANN, disabled: true }, 401, 'account_disabled'],
    ['is not admitted any more', { ...ANN, admitted: false }, 403, 'not_admitted'],
  ])('refused when its owner %s, remembered or not', async (_what, owner, status, reason) => {
    person = owner
    for (remembered of [false, true]) await expect(prove()).rejects.toEqual(refusal(status, reason))
    expect(used).toBe(0)
  })
})

describe('its conditions', () => {
  it('from where', async () => {
    limited({ addresses: ['192.0.2.7'] })
    await prove()
    await expect(prove('pc_good', '192.0.2.8')).rejects.toEqual(refusal(403, 'address_not_allowed'))
    expect([used, told]).toEqual([1, ['tok_1 address_not_allowed']])
  })

  it('when', async () => {
    limited({ hours: { days: [3], from: 10 * 60 + 30, to: 11 * 60 } })
    await prove()
    for (now of [NOW - 60_000, NOW + 30 * 60_000, NOW + 86_400_000])
      await expect(prove()).rejects.toEqual(refusal(403, 'outside_hours'))
  })

  it('how often, also when it is remembered', async () => {
    limited({ rate: { most: 2, window: 3_600_000 } })
    await prove()
    remembered = true
    await prove()
    await expect(prove()).rejects.toEqual(expect.objectContaining({ ...rateRefusal, retryAfter: 3600 }))
    expect(told).toEqual(['tok_1 token_rate'])
  })
  const rateRefusal = { status: 429, reason: 'token_rate' }
})

describe('unknown tokens', () => {
  it('are counted by client network, which then waits, and costs the store nothing', async () => {
    for (let at = 0; at < 3; at++)
      await expect(prove('pc_unknown_token')).rejects.toEqual(refusal(401, 'unknown_token'))
    const wait = refusal(429, 'too_many_unknown_tokens')
    await expect(prove('pc_unknown_token')).rejects.toEqual(wait)
    const before = looked
    await expect(prove('pc_unknown_token')).rejects.toEqual(wait)
    await expect(prove()).rejects.toEqual(wait)
    expect(looked).toBe(before)
    now += 60_000
    expect((await prove()).subject).toBe('u1')
  })

  it('of one network leave another, and those who are known, alone', async () => {
    for (let at = 0; at < 5; at++)
      await expect(prove('pc_unknown_token', `2001:db8::${at}`)).rejects.toBeInstanceOf(Error)
    await expect(prove('pc_good', '2001:db8::ffff')).rejects.toEqual(refusal(429, 'too_many_unknown_tokens'))
    expect((await prove('pc_good', '2001:db8:0:1::1')).subject).toBe('u1')
    remembered = true
    expect((await prove('pc_good', '2001:db8::ffff')).subject).toBe('u1')
  })

  it('are not those that were ours once, or are mistyped', async () => {
    for (let at = 0; at < 9; at++)
      for (const reason of ['expired', 'revoked', 'malformed'])
        await expect(prove(`pc_${reason}`)).rejects.toEqual(refusal(401, reason))
    expect(hits.size).toBe(0)
  })
})

it('claims its own tokens alone', () => {
  expect(['pc_x', 'PC_x', 'eyJ', 'xpc_'].map((token) => way.isMine(token))).toEqual([true, false, false, false])
})
