// Who calls, in header fields: each form's names, and no value that breaks a head.
import { validateHeaderName, validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ToldIdentity } from '../../config/identity-told.ts'
import { IDENTITY_ATTRIBUTES } from '../../protocol/identity-headers.ts'
import { ANONYMOUS, type Principal } from '../../protocol/principal.ts'
import { identityFields } from './headers.ts'

const ann: Principal = {
  ...ANONYMOUS,
  kind: 'person',
  subject: 'usr_1',
  email: 'ann@example.com',
  name: 'Ann',
  groups: ['engineering', 'ops'],
  teams: ['blue'],
  claims: { organisation: 'acme' },
  method: 'access_token',
}
const bot: Principal = { ...ANONYMOUS, kind: 'agent', subject: 'ci-bot', method: 'access_token' }
const told = (more: Partial<ToldIdentity> = {}): ToldIdentity => ({
  headers: true,
  jwt: false,
  meta: false,
  attributes: IDENTITY_ATTRIBUTES,
  headerPrefix: 'X-Forwarded',
  form: 'portcullis',
  ...more,
})
const FORGE = { form: 'contextforge', headerPrefix: 'X-Forwarded-User' } as const
const PORTKEY = { form: 'portkey', headerPrefix: 'X-Portkey' } as const
const fieldsOf = (principal: Principal, more?: Partial<ToldIdentity>) =>
  Object.fromEntries(identityFields(principal, told(more)).fields)

describe('our own form', () => {
  it('has the organisation, and who acts for the caller', () => {
    expect(fieldsOf(ann)).toMatchObject({ 'X-Forwarded-Org': 'acme' })
    expect(fieldsOf(ann)).not.toHaveProperty('X-Forwarded-Actor')
    const delegated = { ...ann, actor: { ...bot, actor: { ...bot, subject: 'a,b' } } }
    expect(fieldsOf(delegated)['X-Forwarded-Actor']).toBe('ci-bot,=?base64?YSxi?=')
  })

  it('says of nobody how they came, and no more', () => {
    expect(fieldsOf(ANONYMOUS)).toEqual({ 'X-Forwarded-Auth-Method': 'none' })
  })

  it('takes organisations that are texts, and nothing else that a claim may hold', () => {
    const org = (organisation: unknown) => fieldsOf({ ...ann, claims: { organisation } })['X-Forwarded-Org']
    expect(org(['acme', 'a,b'])).toBe('acme,=?base64?YSxi?=')
    for (const other of [undefined, null, 1, '', { name: 'acme' }, [1, null]]) expect(org(other)).toBeUndefined()
  })
})

describe('the form of ContextForge', () => {
  it('has its names and its words', () => {
    expect(fieldsOf(ann, FORGE)).toEqual({
      'X-Forwarded-User-Id': 'usr_1',
      'X-Forwarded-User-Email': 'ann@example.com',
      'X-Forwarded-User-Groups': 'engineering,ops',
      'X-Forwarded-User-Teams': 'blue',
      'X-Forwarded-User-Auth-Method': 'bearer',
    })
  })

  it('tells services and delegation', () => {
    const service = { ...ann, kind: 'service', actor: { ...bot, subject: 'x>y' } } as const
    expect(fieldsOf(service, FORGE)).toMatchObject({
      'X-Forwarded-User-Service-Account': 'true',
      'X-Forwarded-User-Delegation-Chain': 'x%3Ey>usr_1',
    })
    expect(fieldsOf({ ...ann, actor: bot }, FORGE)['X-Forwarded-User-Delegation-Chain']).toBe('ci-bot>usr_1')
    expect(fieldsOf(ANONYMOUS, FORGE)).toEqual({})
  })
})

describe('the form of Portkey', () => {
  it('has claims as JSON of plain ASCII', () => {
    const claims = fieldsOf({ ...ann, name: 'Jörg 🦊\r\nX: y' }, PORTKEY)['X-User-Claims'] ?? ''
    expect(claims).toMatch(/^[\x20-\x7e]*$/)
    expect(JSON.parse(claims)).toMatchObject({ sub: 'usr_1', name: 'Jörg 🦊\r\nX: y', organisation_id: 'acme' })
  })

  it('holds to the attributes, and leaves out what is too long', () => {
    const few = fieldsOf(ann, { ...PORTKEY, attributes: ['id'] })
    expect(few).toEqual({ 'X-User-Claims': '{"sub":"usr_1","user_id":"usr_1"}' })
    const groups = Array.from({ length: 1000 }, (_, at) => `group-${at}`)
    expect(identityFields({ ...ann, groups }, told(PORTKEY)).omitted).toEqual(['X-User-Claims'])
    expect(fieldsOf(ANONYMOUS, PORTKEY)).toEqual({})
  })
})

it('no value breaks a head or becomes two, whatever the claims say', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 3000 }))
  const form = fc.constantFrom<Partial<ToldIdentity>>({}, FORGE, PORTKEY, { headerPrefix: 'X-Caller' })
  fc.assert(
    fc.property(fc.array(text), text, text, form, (list, one, other, more) => {
      const hostile: Principal = {
        ...ann,
        subject: one,
        email: undefined,
        name: other,
        client: one,
        groups: list,
        roles: list,
        teams: list,
        scopes: list,
        claims: { organisation: list },
        actor: { ...bot, subject: other },
      }
      const { fields } = identityFields(hostile, told(more))
      expect(new Set(fields.map(([name]) => name.toLowerCase())).size).toBe(fields.length)
      for (const [name, value] of fields) {
        expect(() => validateHeaderName(name)).not.toThrow()
        expect(() => validateHeaderValue(name, value)).not.toThrow()
        expect(value).toMatch(/^[\x20-\x7e]+$/)
      }
    }),
  )
})
