import { validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeHeaderValue } from '../protocol/header-value.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { identityHeaders, NO_IDENTITY } from './identity-headers.ts'

const ann: Principal = {
  ...ANONYMOUS,
  kind: 'person',
  subject: 'usr_1',
  identity: 'usr_1',
  email: 'ann@example.com',
  name: 'Ann',
  groups: ['engineering', 'ops'],
  roles: ['admin'],
  scopes: ['mcp:tools', 'email'],
  client: 'cli',
  method: 'access_token',
}

function fieldsOf(principal: Principal, assertion = 'a.b.c') {
  const { fields, omitted } = identityHeaders(principal, assertion)
  const pairs = fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1] ?? ''] as const] : []))
  expect(new Set(pairs.map(([name]) => name)).size).toBe(pairs.length)
  return { values: Object.fromEntries(pairs), omitted, names: pairs.map(([name]) => name) }
}

/** As the server behind reads a list. */
const decodeList = (value: string) => (value === '' ? [] : value.split(',').map((item) => decodeHeaderValue(item)))

describe('the fields of a caller', () => {
  it('are these', () => {
    expect(fieldsOf(ann).values).toEqual({
      'X-Forwarded-User': 'ann@example.com',
      'X-Forwarded-User-Id': 'usr_1',
      'X-Forwarded-Email': 'ann@example.com',
      'X-Forwarded-Name': 'Ann',
      'X-Forwarded-Groups': 'engineering,ops',
      'X-Forwarded-Roles': 'admin',
      'X-Forwarded-Teams': '',
      'X-Forwarded-Org': '',
      'X-Forwarded-Scopes': 'mcp:tools email',
      'X-Forwarded-Auth-Method': 'access_token',
      'X-Forwarded-Client': 'cli',
      'X-Portcullis-Assertion': 'a.b.c',
    })
  })

  it('name the subject where there is no verified address, and nobody where nobody is', () => {
    expect(fieldsOf({ ...ann, email: undefined }).values).toMatchObject({
      'X-Forwarded-User': 'usr_1',
      'X-Forwarded-Email': '',
    })
    expect(fieldsOf(ANONYMOUS, '').values).toMatchObject({
      'X-Forwarded-User': '',
      'X-Forwarded-User-Id': '',
      'X-Forwarded-Auth-Method': 'none',
    })
  })

  it('name the organisation where one was kept', () => {
    expect(fieldsOf({ ...ann, claims: { organisation: ['acme', 'a,b'] } }).values['X-Forwarded-Org']).toBe(
      'acme,=?base64?YSxi?=',
    )
  })

  it('are always all of them', () => {
    const { names } = fieldsOf(ann)
    expect(fieldsOf(ANONYMOUS, '').names).toEqual(names)
    expect(NO_IDENTITY.filter((_, at) => at % 2 === 0)).toEqual(names)
    expect(NO_IDENTITY.filter((_, at) => at % 2 === 1).every((value) => value === '')).toBe(true)
  })

  it.each<[string, Partial<Principal>, string, string]>([
    ['a comma in a subject', { email: undefined, subject: 'a,admin' }, 'X-Forwarded-User', 'a,admin'],
    [
      'line breaks in a name',
      { name: 'Ann\r\nX-Forwarded-User: root' },
      'X-Forwarded-Name',
      'Ann\r\nX-Forwarded-User: root',
    ],
    ['a tab in a name', { name: 'Ann\tB.' }, 'X-Forwarded-Name', 'Ann\tB.'],
    ['a tab in a scope', { scopes: ['a\tadmin', 'b'] }, 'X-Forwarded-Scopes', 'a\tadmin b'],
    ['NUL', { name: 'A\0nn' }, 'X-Forwarded-Name', 'A\0nn'],
    ['Latin-1', { name: 'J\u00f6rg \x85' }, 'X-Forwarded-Name', 'J\u00f6rg \x85'],
    ['an emoji', { name: '🦊' }, 'X-Forwarded-Name', '🦊'],
    ['white space around it', { name: ' ann\u00a0' }, 'X-Forwarded-Name', ' ann\u00a0'],
    ['what looks encoded', { name: '=?BASE64?cm9vdA==?=' }, 'X-Forwarded-Name', '=?BASE64?cm9vdA==?='],
  ])('hold %s', (_what, claims, field, said) => {
    const value = fieldsOf({ ...ann, ...claims }).values[field] ?? ''
    expect(value).toMatch(/^[\x21-\x7e]+$/)
    expect(value.includes(',')).toBe(false)
    expect(decodeHeaderValue(value)).toBe(said)
  })

  it('keep a list apart whatever is in it', () => {
    const groups = ['a,b', 'a\tb', 'c', ' d ', 'é', 'x\r\ny', '=?base64?', '🦊']
    expect(decodeList(fieldsOf({ ...ann, groups }).values['X-Forwarded-Groups'] ?? '')).toEqual(groups)
  })

  it('leave a list out, whole, that is longer than a head may be', () => {
    const groups = Array.from({ length: 1000 }, (_, at) => `a-rather-long-group-${at}`)
    const { values, omitted } = fieldsOf({ ...ann, groups })
    expect(values['X-Forwarded-Groups']).toBe('')
    expect(omitted).toEqual(['X-Forwarded-Groups'])
    expect(values['X-Forwarded-User']).toBe('ann@example.com')
  })

  it('never break a head, whatever the claims say', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 3000 }))
    fc.assert(
      fc.property(fc.array(text), text, text, text, (groups, name, subject, client) => {
        const { values } = fieldsOf({
          ...ann,
          groups,
          roles: groups,
          teams: groups,
          scopes: groups,
          name,
          subject,
          client,
          email: undefined,
        })
        let size = 0
        for (const [field, value] of Object.entries(values)) {
          expect(() => validateHeaderValue(field, value)).not.toThrow()
          expect(value).toMatch(/^[\x20-\x7e]*$/)
          size += value.length
        }
        expect(size).toBeLessThan(12_000)
      }),
    )
  })
})
