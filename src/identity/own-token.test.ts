import { beforeEach, describe, expect, it } from 'vitest'
import { BearerError } from '../protocol/errors.ts'
import { attributesOf } from './attributes.ts'
import { CLOSED, ownTokens } from './own-token.ts'
import type { Credentials } from './way.ts'

const WANTED = { server: 'a', resources: ['http://localhost/servers/a/mcp'] }
const TOKEN = { jti: 'j', subject: 'u1', client: 'c', scopes: ['s'], family: 'f', issuedAt: 1, expiresAt: 2 }
const USER = {
  id: 'u1',
  issuer: 'local',
  identity: 'ann',
  email: 'ann@corp.example',
  emailVerified: true,
  name: 'Ann',
  groups: ['eng'],
  claims: { department: 'ops' },
  roles: [],
  teams: [],
  administrator: false,
  disabled: false,
  passwordHash: undefined,
  createdAt: 0,
  updatedAt: 0,
}
const CREDENTIALS: Credentials = {
  field: () => [],
  query: '',
  address: '192.0.2.1',
  transport: { trusted: false, peer: '192.0.2.1', certificate: () => undefined },
}

let user: typeof USER | undefined
let admitted: boolean
let now: number
let asked: string[]
const build = () =>
  ownTokens({
    recall: (token) => (token === 'known' ? TOKEN : undefined),
    verify: async (token) => {
      asked.push(token)
      if (token !== 'good') throw new BearerError('invalid_token', 'bad_token', 'no')
      return TOKEN
    },
    attributes: attributesOf({
      findUser: async () => user,
      isAdmitted: () => admitted,
      resolveRoles: () => ['r'],
      clock: () => now,
    }),
  })

beforeEach(() => {
  user = USER
  admitted = true
  now = 0
  asked = []
})

describe('our own access tokens', () => {
  it('make a principal of the token and of the account as it is now', async () => {
    const { way } = build()
    expect(way.isMine('anything')).toBe(true)
    expect(await way.prove('good', CREDENTIALS, WANTED)).toMatchObject({
      kind: 'person',
      subject: 'u1',
      email: 'ann@corp.example',
      groups: ['eng'],
      claims: { department: 'ops' },
      roles: ['r'],
      client: 'c',
      family: 'f',
      method: 'access_token',
      scopeRule: 'covers',
    })
    await expect(way.prove('bad', CREDENTIALS, WANTED)).rejects.toMatchObject({ reason: 'bad_token' })
  })

  it('are recalled at once where token and account are known, without being proved again', async () => {
    const own = build()
    expect(own.recall('good', WANTED)).toBeUndefined()
    await own.recall('known', WANTED)
    const principal = own.recall('known', WANTED)
    expect(principal).not.toBeInstanceOf(Promise)
    expect(principal).toMatchObject({ subject: 'u1' })
    expect(asked).toEqual([])
  })

  it('bring the same principal with every call, until the account is read again', async () => {
    const own = build()
    const first = await own.recall('known', WANTED)
    expect(own.recall('known', WANTED)).toBe(first)
    user = { ...USER, groups: ['ops'] }
    now = 5_001
    const second = await own.recall('known', WANTED)
    expect([first?.groups, second?.groups]).toEqual([['eng'], ['ops']])
    expect(own.recall('known', WANTED)).toBe(second)
  })

  it('are refused where they are closed', () => {
    expect(() => CLOSED.prove('good', CREDENTIALS, WANTED)).toThrow(
      expect.objectContaining({ code: 'invalid_token', reason: 'tokens_closed' }),
    )
  })
})

describe('the account behind the token', () => {
  it('counts as it is now, within five seconds', async () => {
    const { way } = build()
    const call = async () => way.prove('good', CREDENTIALS, WANTED)
    expect((await call()).groups).toEqual(['eng'])
    user = { ...USER, groups: [] }
    now = 5_001
    expect((await call()).groups).toEqual([])
    user = { ...USER, disabled: true }
    now = 10_002
    await expect(call()).rejects.toMatchObject({ code: 'invalid_token', reason: 'account_disabled' })
    user = undefined
    now = 20_000
    await expect(call()).rejects.toMatchObject({ code: 'invalid_token', reason: 'account_gone' })
  })

  it('counts for a token that is recalled, too', async () => {
    const own = build()
    expect(await own.recall('known', WANTED)).toMatchObject({ subject: 'u1' })
    user = { ...USER, disabled: true }
    now = 5_001
    await expect(own.recall('known', WANTED)).rejects.toMatchObject({ reason: 'account_disabled' })
  })

  it('that is no longer admitted is 403, and an unverified e-mail is no e-mail', async () => {
    admitted = false
    await expect(build().way.prove('good', CREDENTIALS, WANTED)).rejects.toMatchObject({
      status: 403,
      reason: 'not_admitted',
    })
    admitted = true
    user = { ...USER, emailVerified: false }
    expect((await build().way.prove('good', CREDENTIALS, WANTED)).email).toBeUndefined()
  })
})
