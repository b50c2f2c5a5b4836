import { beforeEach, describe, expect, it } from 'vitest'
import { BearerError } from '../protocol/errors.ts'
import { attributesOf } from './attributes.ts'
import { authenticator, type Credentials } from './authenticate.ts'

const A = 'http://localhost/servers/a/mcp'
const TOKEN = { jti: 'j', subject: 'u1', client: 'c', scopes: ['s'], family: 'f', issuedAt: 1, expiresAt: 2 }
const USER = {
  id: 'u1',
  issuer: 'local',
  identity: 'ann',
  email: 'ann@corp.example',
  emailVerified: true,
  name: 'Ann',
  groups: ['eng'],
  roles: [],
  teams: [],
  administrator: false,
  disabled: false,
  passwordHash: undefined,
  createdAt: 0,
  updatedAt: 0,
}

const knock = (over: Partial<Credentials> = {}): Credentials => ({
  authorization: undefined,
  apiKey: undefined,
  query: '',
  ...over,
})

let user: typeof USER | undefined
let admitted: boolean
let now: number
let asked: string[]
const build = (anonymous = false, tokens = true) =>
  authenticator({
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
    anonymous,
    tokens,
  })

beforeEach(() => {
  user = USER
  admitted = true
  now = 0
  asked = []
})

describe('RFC 6750 §2.1', () => {
  it.each(['Bearer good', 'bearer good', 'BEARER good'])('takes %s', async (authorization) => {
    const principal = await build()(knock({ authorization }), [A])
    expect(principal).toMatchObject({
      kind: 'person',
      subject: 'u1',
      email: 'ann@corp.example',
      groups: ['eng'],
      roles: ['r'],
      client: 'c',
      family: 'f',
      method: 'access_token',
    })
  })
  it('answers a request without a credential with a challenge that carries no error', async () => {
    await expect(build()(knock(), [A])).rejects.toEqual(
      expect.objectContaining({ code: undefined, reason: 'no_credential' }),
    )
  })
  it.each([
    'Bearer',
    'Bearer  good',
    'Bearer good,Bearer good',
    'Bearer good good',
    'Bearer good\tx',
    'Basic Z29vZA==',
    'Token good',
    'Bearer gööd',
    'Bearerx good',
  ])('refuses %j and asks nobody', async (authorization) => {
    await expect(build(true)(knock({ authorization }), [A])).rejects.toEqual(
      expect.objectContaining({ code: 'invalid_token' }),
    )
    expect(asked).toEqual([])
  })
  it.each(['access_token=good', 'x=1&access_token=good'])(
    '§2.3 a token in the query (%s) is refused, also beside a good header',
    async (query) => {
      for (const authorization of [undefined, 'Bearer good'])
        await expect(build(true)(knock({ authorization, query }), [A])).rejects.toEqual(
          expect.objectContaining({ code: 'invalid_request', reason: 'token_in_query' }),
        )
    },
  )
  it('refuses two credentials', async () => {
    await expect(build()(knock({ authorization: 'Bearer good', apiKey: 'k' }), [A])).rejects.toEqual(
      expect.objectContaining({ reason: 'two_credentials' }),
    )
  })
})

describe('a refused credential never falls through', () => {
  it('not even where anonymous callers are admitted', async () => {
    const authenticate = build(true)
    expect((await authenticate(knock(), [A])).kind).toBe('anonymous')
    await expect(authenticate(knock({ authorization: 'Bearer bad' }), [A])).rejects.toEqual(
      expect.objectContaining({ code: 'invalid_token' }),
    )
    await expect(authenticate(knock({ apiKey: 'k' }), [A])).rejects.toEqual(
      expect.objectContaining({ code: 'invalid_token' }),
    )
  })
  it('nor when tokens are switched off', async () => {
    await expect(build(true, false)(knock({ authorization: 'Bearer good' }), [A])).rejects.toEqual(
      expect.objectContaining({ reason: 'tokens_closed' }),
    )
  })
})

describe('the account behind the token', () => {
  const call = (authenticate: ReturnType<typeof build>) => authenticate(knock({ authorization: 'Bearer good' }), [A])
  it('counts as it is now, within five seconds', async () => {
    const authenticate = build()
    expect((await call(authenticate)).groups).toEqual(['eng'])
    user = { ...USER, groups: [] }
    now = 5_001
    expect((await call(authenticate)).groups).toEqual([])
    user = { ...USER, disabled: true }
    now = 10_002
    await expect(call(authenticate)).rejects.toEqual(
      expect.objectContaining({ code: 'invalid_token', reason: 'account_disabled' }),
    )
    user = undefined
    now = 20_000
    await expect(call(authenticate)).rejects.toEqual(
      expect.objectContaining({ code: 'invalid_token', reason: 'account_gone' }),
    )
  })
  it('that is no longer admitted is 403, and an unverified e-mail is no e-mail', async () => {
    admitted = false
    await expect(call(build())).rejects.toEqual(expect.objectContaining({ status: 403, reason: 'not_admitted' }))
    admitted = true
    user = { ...USER, emailVerified: false }
    expect((await call(build())).email).toBeUndefined()
  })
})
