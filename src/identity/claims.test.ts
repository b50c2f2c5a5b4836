// Claims of an identity provider: what counts, and what is refused.
import { describe, expect, it } from 'vitest'
import { ClaimError, displayName, profileOf, stringsAt, verifiedEmail } from './claims.ts'

const strict = { verifiedBy: ['email_verified'], loose: false }
const loose = { verifiedBy: ['email_verified', 'xms_edov'], loose: true }

describe('stringsAt', () => {
  it('takes a list, one text, or nothing', () => {
    expect(stringsAt({ groups: ['a', 'b', 'a'] }, 'groups')).toEqual(['a', 'b'])
    expect(stringsAt({ groups: 'a b' }, 'groups')).toEqual(['a b'])
    expect(stringsAt({}, 'groups')).toEqual([])
    expect(stringsAt({ groups: null }, 'groups')).toEqual([])
  })

  it.each([
    ['a number', 7],
    ['an object', { a: 1 }],
    ['a list with an object', ['a', {}]],
    ['a line break', ['a\nb']],
    ['an empty name', ['']],
    ['a name without end', ['x'.repeat(257)]],
    ['a list without end', Array.from({ length: 1001 }, (_, at) => `g${at}`)],
  ])('refuses %s', (_, groups) => {
    expect(() => stringsAt({ groups }, 'groups')).toThrow(ClaimError)
  })
})

describe('verifiedEmail', () => {
  const email = 'ann@example.com'

  it('needs the provider to vouch', () => {
    expect(verifiedEmail({ email, email_verified: true }, strict)).toBe(email)
    expect(verifiedEmail({ email, email_verified: 'true' }, loose)).toBe(email)
    expect(verifiedEmail({ email, xms_edov: '1' }, loose)).toBe(email)
  })

  it.each([
    ['nothing', {}],
    ['false', { email_verified: false }],
    ['"false"', { email_verified: 'false' }],
    ['"true" as text', { email_verified: 'true' }],
    ['1', { email_verified: 1 }],
    ['an object', { email_verified: {} }],
    ['another provider’s claim', { xms_edov: true }],
  ])('does not take %s as a proof', (_, claims) => {
    expect(verifiedEmail({ email, ...claims }, strict)).toBeUndefined()
  })

  it('never takes preferred_username or upn for an address', () => {
    expect(verifiedEmail({ preferred_username: email, upn: email, email_verified: true }, loose)).toBeUndefined()
  })
})

describe('displayName', () => {
  it('loses control and direction characters and is cut', () => {
    expect(displayName('Ann\u202E\u0007 Smith')).toBe('Ann Smith')
    expect(displayName('x'.repeat(500))).toHaveLength(100)
    expect(displayName('\u200b')).toBeUndefined()
    expect(displayName(7)).toBeUndefined()
  })
})

describe('profileOf', () => {
  const mapping = { groups: 'groups', roles: 'realm_access.roles', teams: 'team' }
  const source = { provider: 'corp', issuer: 'https://idp.example', subject: '1', mapping, proof: strict }

  it('maps by the provider’s claim paths, each claim from the first source that has it', () => {
    const idToken = { email: 'A@x.example', email_verified: true, groups: ['g'] }
    const userInfo = { name: 'Ann', groups: ['other'], realm_access: { roles: ['r'] }, team: 't' }
    expect(profileOf([idToken, userInfo], source)).toEqual({
      provider: 'corp',
      issuer: 'https://idp.example',
      subject: '1',
      email: 'a@x.example',
      name: 'Ann',
      groups: ['g'],
      roles: ['r'],
      teams: ['t'],
    })
  })

  it('never joins the address of one source with the proof of another', () => {
    const idToken = { email: 'victim@x.example' }
    expect(profileOf([idToken, { email_verified: true }], source).email).toBeUndefined()
    expect(profileOf([idToken, { email: 'me@x.example', email_verified: true }], source).email).toBe('me@x.example')
  })
})
