// Admission: the allowed addresses, and nothing that only looks like one.
import { describe, expect, it } from 'vitest'
import type { IdentityConfig } from '../config/identity.ts'
import { OperatorError } from '../protocol/errors.ts'
import { createAdmission, emailMatcher } from './admission.ts'

describe('emailMatcher', () => {
  const admits = emailMatcher(['*@Example.com', 'Bob@other.example'])

  it.each(['ann@example.com', 'ANN@EXAMPLE.COM', 'bob@other.example', 'BOB@Other.Example'])('admits %s', (email) => {
    expect(admits(email)).toBe(true)
  })

  it.each([
    undefined,
    'ann@sub.example.com',
    'ann@example.com.evil.example',
    'ann@notexample.com',
    'ann@evil.example@example.com',
    'ann@example.com\n',
    'ann@ex\u017Fample.com',
    'rob@other.example',
    '*@example.com',
    '',
  ])('refuses %j', (email) => {
    expect(admits(email)).toBe(false)
  })

  it('admits anyone when nobody is listed', () => {
    expect(emailMatcher([])(undefined)).toBe(true)
  })

  it.each(['*', '*example.com', 'a*@example.com', 'example.com', '*@', '', 'a@b@c'])(
    'refuses the pattern %j',
    (pattern) => {
      expect(() => emailMatcher([pattern])).toThrow(OperatorError)
    },
  )
})

describe('admission', () => {
  const TENANT = 'https://login.microsoftonline.com/8d5e6f0a-1b2c-4d3e-8f90-a1b2c3d4e5f6/v2.0'
  const provider = (id: string, type: 'oidc' | 'entra', issuer: string, allowedEmails?: string[]) => ({
    id,
    type,
    issuer,
    clientId: 'c',
    scopes: [] as string[],
    ...(allowedEmails && { allowedEmails }),
  })
  const providers: IdentityConfig['providers'] = [
    provider('corp', 'oidc', 'https://idp.example', ['*@corp.example']),
    provider('second', 'oidc', 'https://second.example/'),
    provider('ms', 'entra', 'https://login.microsoftonline.com/organizations/v2.0', ['*@tenant.example']),
    { type: 'local' },
  ]
  const isAdmitted = createAdmission({ providers, allowedEmails: ['*@example.com'] })
  const person = (issuer: string, email: string, emailVerified = true) => ({ issuer, email, emailVerified })

  it('holds a provider’s own list in place of the general one', () => {
    expect(isAdmitted(person('https://idp.example/', 'a@corp.example'))).toBe(true)
    expect(isAdmitted(person('https://idp.example', 'a@example.com'))).toBe(false)
    expect(isAdmitted(person('https://second.example', 'a@example.com'))).toBe(true)
    expect(isAdmitted(person('local', 'a@example.com'))).toBe(true)
  })

  it('counts only a verified address', () => {
    expect(isAdmitted(person('https://second.example', 'a@example.com', false))).toBe(false)
  })

  it('finds the tenants of a shared Entra authority, and no other issuer there', () => {
    expect(isAdmitted(person(TENANT, 'a@tenant.example'))).toBe(true)
    expect(isAdmitted(person(`${TENANT}/x`, 'a@tenant.example'))).toBe(false)
    expect(isAdmitted(person(TENANT.replace('microsoftonline', 'evil'), 'a@tenant.example'))).toBe(false)
  })

  it('refuses people of a provider that is no longer configured', () => {
    expect(isAdmitted(person('https://gone.example', 'a@example.com'))).toBe(false)
  })

  it('refuses local accounts where they are not offered', () => {
    const onlyFederated = createAdmission({ providers: providers.slice(0, 1), allowedEmails: [] })
    expect(onlyFederated({ issuer: 'local', email: undefined, emailVerified: false })).toBe(false)
  })
})
