import { expect, it } from 'vitest'
import { withKeptClaims } from './kept-claims.ts'
import { Config, type ConfigInput } from './schema.ts'

const kept = ({ identity = {}, policy = {}, limits = [] }: Pick<ConfigInput, 'identity' | 'policy' | 'limits'>) =>
  withKeptClaims(Config.parse({ identity, policy, limits }) as never).claims

const allow = (more: object) => ({ rules: [{ allow: ['a/*'], to: ['*'], ...more }] })

it('nothing is kept that nobody asked for', () => {
  expect(kept({})).toEqual([])
  expect(kept({ policy: allow({ to: ['group:claims'], when: "principal.name == 'claims'" }) })).toEqual([])
})

it('what is listed is kept, once', () => {
  expect(kept({ identity: { claims: ['department', 'org.unit', 'department'] } })).toEqual(['department', 'org.unit'])
})

it('what rules and limits name as a subject is kept', () => {
  const to = ['claim:org.unit=north', 'claim:https://corp.example/site=a=b', 'group:x']
  expect(kept({ policy: allow({ to }) })).toEqual(['org.unit', 'https://corp.example/site'])
  expect(kept({ policy: { rules: [{ deny: ['a/*'], to: ['claim:blocked=true'] }] } })).toEqual(['blocked'])
  expect(kept({ limits: [{ to: ['claim:plan=free'], rate: '1/min' }] })).toEqual(['plan'])
})

it('what conditions read is kept, and of it no more than is listed', () => {
  const when = "principal.claims.org.unit == 'north' && principal.claims.department == 'ops'"
  expect(kept({ policy: allow({ when }) })).toEqual(['org', 'department'])
  expect(kept({ policy: allow({ unless: when }), identity: { claims: ['org.unit'] } })).toEqual([
    'org.unit',
    'department',
  ])
})

it('so is the claim of resourceAccess', () => {
  expect(kept({ policy: { resourceAccess: {} } })).toEqual(['resource_access'])
  expect(kept({ policy: { resourceAccess: { claim: 'access' } } })).toEqual(['access'])
})
