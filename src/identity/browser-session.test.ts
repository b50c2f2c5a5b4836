import { describe, expect, it } from 'vitest'
import { BearerError, RequestError } from '../protocol/errors.ts'
import type { Attributes } from './attributes.ts'
import { sessionCaller } from './browser-session.ts'

const ANN: Attributes = {
  email: 'ann@example.com',
  name: 'Ann',
  groups: ['g'],
  roles: ['r'],
  givenRoles: [],
  teams: ['t'],
  claims: { department: 'ops' },
  disabled: false,
  admitted: true,
}
const SESSION = { subject: 'usr_1', id: 'sid', issuedAt: 1000, expiresAt: 2000 }

const caller = (
  person: Attributes | undefined,
  isRevoked: (session: { jti: string; issuedAt: number }) => boolean = () => false,
) => sessionCaller({ attributes: { find: () => person, forget: () => undefined }, isRevoked })(SESSION)
const refusal = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return error
  }
}

describe('a browser session', () => {
  it('is the person as they are now', () => {
    expect(caller(ANN)).toMatchObject({
      kind: 'person',
      subject: 'usr_1',
      email: 'ann@example.com',
      groups: ['g'],
      roles: ['r'],
      teams: ['t'],
      claims: { department: 'ops' },
      method: 'session',
      scopeRule: 'none',
      client: undefined,
      expiresAt: 2000,
    })
  })

  it.each<[string, Attributes | undefined, boolean]>([
    ['account_gone', undefined, false],
    ['account_disabled', { ...ANN, disabled: true }, false],
    ['revoked', ANN, true],
  ])('is over: %s', (reason, person, revoked) => {
    const error = refusal(() => caller(person, () => revoked))
    expect(error).toBeInstanceOf(BearerError)
    // No error code: it is no bearer token, and a browser may sign in again.
    expect(error).toMatchObject({ reason, code: undefined, status: 401 })
  })

  it('is asked for by its own id and age', () => {
    const asked: unknown[] = []
    caller(ANN, (session) => {
      asked.push(session)
      return false
    })
    expect(asked).toEqual([expect.objectContaining({ jti: 'sid', subject: 'usr_1', issuedAt: 1000 })])
  })

  it('is refused for whoever is no longer admitted', () => {
    const error = refusal(() => caller({ ...ANN, admitted: false }))
    expect(error).toBeInstanceOf(RequestError)
    expect(error).toMatchObject({ status: 403, reason: 'not_admitted' })
  })
})
