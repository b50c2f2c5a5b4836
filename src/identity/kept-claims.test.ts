// Claims kept for conditions: at their place, as they were written, whole or not at all; and from whom they are taken.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEdge } from '../../test/support/edge-way.ts'
import { type Edges, startEdges } from '../../test/support/edges.ts'
import { signedBy, signingKey } from '../../test/support/issuer.ts'
import { openWay, RESOURCE } from '../../test/support/issuer-way.ts'
import type { Claims } from '../protocol/claims.ts'
import { ClaimError } from './claims.ts'
import { keepClaims } from './kept-claims.ts'

const keep = (claims: Claims, ...paths: string[]) => keepClaims([claims], { claims: paths, organisation: undefined })

const KEYCLOAK = {
  department: 'ops',
  realm_access: { roles: ['auditor'], other: 1 },
  resource_access: { 'mcp-test/server1': { roles: ['tool:greet'] } },
  'https://corp.example/cost': { centre: 7, open: false, none: null },
}

describe('what is kept', () => {
  it('is what is listed, at its place, and nothing else', () => {
    expect(keep(KEYCLOAK, 'department', 'realm_access.roles', 'https://corp.example/cost')).toEqual({
      department: 'ops',
      realm_access: { roles: ['auditor'] },
      'https://corp.example/cost': { centre: 7, open: false, none: null },
    })
    expect(keep(KEYCLOAK, 'resource_access')).toEqual({ resource_access: KEYCLOAK.resource_access })
    expect(keep(KEYCLOAK, 'realm_access.roles', 'realm_access.other')).toEqual({ realm_access: KEYCLOAK.realm_access })
  })

  it('is nothing where nothing is there', () => {
    expect(keep(KEYCLOAK, 'missing', 'realm_access.missing', 'department.deeper')).toBeUndefined()
    expect(keep(KEYCLOAK)).toBeUndefined()
  })

  it('comes whole from the first source that has it', () => {
    const paths = { claims: ['department', 'site'], organisation: undefined }
    expect(keepClaims([{ department: 'ops' }, { department: 'hr', site: 'north' }], paths)).toEqual({
      department: 'ops',
      site: 'north',
    })
  })

  it('has the organisation under its own name: one text, or several', () => {
    const at = (organisation: string, claims: Claims) => keepClaims([claims], { claims: [], organisation })
    expect(at('org.name', { org: { name: 'acme' } })).toEqual({ organisation: 'acme' })
    expect(at('org', { org: ['acme', 'other'] })).toEqual({ organisation: ['acme', 'other'] })
    expect(at('org', { org: '' })).toBeUndefined()
    expect(() => at('org', { org: { name: 'acme' } })).toThrow(ClaimError)
  })

  it('is an own property, whatever it is called', () => {
    const claims = JSON.parse('{"__proto__":{"admin":true},"constructor":{"name":"x"}}') as Claims
    const kept = keep(claims, '__proto__', 'constructor.name', '__proto__.admin') ?? {}
    expect(Object.keys(kept)).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(kept)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
    expect(keep({}, 'toString', 'constructor.name')).toBeUndefined()
  })
})

const nested = (depth: number): unknown => (depth === 0 ? 'x' : { in: nested(depth - 1) })

describe('what cannot be kept whole', () => {
  it.each<[string, unknown]>([
    ['a control character', 'ops\u0000'],
    ['a line break', 'ops\nadmin'],
    ['half a character', 'ops\ud800'],
    ['one of them inside', { in: ['ops\u0007'] }],
    ['one of them in a name', { 'in\u0000': 'x' }],
    ['more than eight levels', nested(9)],
    ['more than 16 KB', 'x'.repeat(16 * 1024)],
  ])('is refused: %s', (_what, department) => {
    expect(() => keep({ department }, 'department')).toThrow(ClaimError)
  })

  it('counts all of it together', () => {
    const half = 'x'.repeat(9 * 1024)
    expect(() => keep({ one: half, other: half }, 'one', 'other')).toThrow(ClaimError)
    expect(keep({ one: half, other: half }, 'one')).toEqual({ one: half })
  })

  it('eight levels and nearly 16 KB are', () => {
    expect(keep({ department: nested(8) }, 'department')).toEqual({ department: nested(8) })
    const long = 'x'.repeat(16 * 1024 - 20)
    expect(keep({ department: long }, 'department')).toEqual({ department: long })
  })
})

describe('of tokens of other issuers', () => {
  const KEY = signingKey('the-key')
  const entry = { issuer: 'https://id.example', jwks: JSON.stringify({ keys: [KEY.jwk] }) }
  const now = Math.floor(Date.now() / 1000)
  const judge = (claims: Claims, own: object = {}, mapping: object = {}) =>
    openWay({ ...entry, ...own }, [], { mapping, claims: ['department', 'realm_access.roles'] }).judge(
      signedBy(
        KEY,
        { typ: 'at+jwt' },
        { iss: entry.issuer, sub: 'ann', aud: RESOURCE, iat: now, exp: now + 60, ...claims },
      ),
    )

  it('they are kept', async () => {
    expect(await judge(KEYCLOAK)).toMatchObject({
      identity: 'ann',
      claims: { department: 'ops', realm_access: { roles: ['auditor'] } },
    })
  })

  it('the organisation is at the issuer’s own path, else at the general one', async () => {
    const said = { org: 'acme', tenant: 'other' }
    expect(await judge(said, {}, { organisation: 'org' })).toMatchObject({ claims: { organisation: 'acme' } })
    const own = { mapping: { organisation: 'tenant' } }
    expect(await judge(said, own, { organisation: 'org' })).toMatchObject({ claims: { organisation: 'other' } })
  })

  it('one that cannot be kept refuses the token', async () => {
    expect(await judge({ department: 'ops\u0000' })).toBe('claim_malformed')
    expect(await judge({ department: nested(9) })).toBe('claim_malformed')
    expect(await judge({ other: 'ops\u0000' })).toMatchObject({ identity: 'ann' })
  })
})

describe('of whoever stands in front', () => {
  const kept = { claims: ['department'], organisation: undefined }
  let edges: Edges
  beforeAll(async () => {
    edges = await startEdges(Date.now)
  })
  afterAll(() => edges?.close())

  it('what an edge signed is kept, or the request refused', async () => {
    const way = openEdge(edges.pomerium.settings, { kept })
    const judge = (department: unknown) =>
      way.judge({ [edges.pomerium.field]: edges.pomerium.assertion({ claims: { department } }) })
    expect(await judge('ops')).toMatchObject({ method: 'edge', claims: { department: 'ops' } })
    expect(await judge('ops\u0000')).toBe('claim_malformed')
  })

  it('so are the claims that Istio hands over, and Azure’s', async () => {
    const istio = (department: unknown) => {
      const payload = Buffer.from(JSON.stringify({ sub: 'ann', department })).toString('base64url')
      return openEdge({ preset: 'istio' }, { kept }).judge({ 'X-User-Id': payload })
    }
    expect(await istio('ops')).toMatchObject({ method: 'proxy', claims: { department: 'ops' } })
    expect(await istio('ops\u0000')).toBe('claim_malformed')
    const claims = [{ typ: 'department', val: 'ops' }]
    const principal = Buffer.from(JSON.stringify({ auth_typ: 'aad', claims })).toString('base64')
    expect(
      await openEdge({ preset: 'azure-easyauth' }, { kept }).judge({
        'X-MS-CLIENT-PRINCIPAL-ID': '7',
        'X-MS-CLIENT-PRINCIPAL': principal,
      }),
    ).toMatchObject({ claims: { department: 'ops' } })
  })

  it('a plain header is no claim', async () => {
    const plain = await openEdge({}, { kept }).judge({ 'X-Authenticated-User': 'ann', department: 'ops' })
    expect(plain).toMatchObject({ identity: 'ann' })
    expect(plain).not.toHaveProperty('claims')
  })
})
