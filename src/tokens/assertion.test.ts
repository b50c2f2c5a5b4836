import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { ASSERTION_TYPE, assertionMinter } from './assertion.ts'
import { publicKeySet } from './key-set.ts'
import { newKey } from './keyring.ts'

const ann: Principal = {
  ...ANONYMOUS,
  kind: 'person',
  subject: 'usr_1',
  email: 'ann@example.com',
  groups: ['engineering'],
  client: 'cli',
  scopes: ['mcp:tools'],
  method: 'access_token',
}
const APP = 'https://app.example.com'
const ISSUER = 'https://gate.example.com'

function setup() {
  const state = { now: 1_800_000_000_000, keys: [JSON.parse(newKey('signing', 0, 0).material)] }
  let rotate: () => void = () => undefined
  const mint = assertionMinter({
    keyring: {
      signingKeys: () => state.keys,
      onRotation(listener) {
        rotate = listener
      },
    },
    issuer: ISSUER,
    clock: () => state.now,
  })
  return { state, mint, rotate: () => rotate() }
}

const verify = (jwt: string, { keys, now }: { keys: object[]; now: number }, audience = APP) =>
  jwtVerify(jwt, createLocalJWKSet(publicKeySet(keys) as never), {
    issuer: ISSUER,
    audience,
    typ: ASSERTION_TYPE,
    algorithms: ['ES256'],
    currentDate: new Date(now),
  })

describe('the signed identity', () => {
  it('is verified with the published keys', async () => {
    const { mint, state } = setup()
    const { payload } = await verify(mint(ann, APP).jwt, state)
    expect(payload).toMatchObject({
      sub: 'usr_1',
      email: 'ann@example.com',
      groups: ['engineering'],
      client_id: 'cli',
      scope: 'mcp:tools',
      auth_method: 'access_token',
    })
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60)
  })

  it('is refused elsewhere, later, and as anything else', async () => {
    const { mint, state } = setup()
    const { jwt } = mint(ann, APP)
    await expect(verify(jwt, state, 'https://other.example.com')).rejects.toThrow(/aud/)
    await expect(verify(jwt, { ...state, now: state.now + 61_000 })).rejects.toThrow(/exp/)
    expect(decodeProtectedHeader(jwt)).toMatchObject({ alg: 'ES256', typ: ASSERTION_TYPE })
  })

  it('is signed once for half its life, for the same caller at the same place', () => {
    const { mint, state } = setup()
    const first = mint(ann, APP)
    state.now += 29_000
    expect(mint({ ...ann }, APP)).toBe(first)
    expect(mint(ann, 'https://other.example.com').jwt).not.toBe(first.jwt)
    expect(mint({ ...ann, groups: [] }, APP).jwt).not.toBe(first.jwt)
    state.now += 1_001
    expect(mint(ann, APP).jwt).not.toBe(first.jwt)
  })

  it('is signed anew when the clock was set back, and with a new key', () => {
    const { mint, state, rotate } = setup()
    const first = mint(ann, APP)
    state.now -= 3_600_000
    const again = mint(ann, APP)
    expect(again.jwt).not.toBe(first.jwt)
    state.keys = [JSON.parse(newKey('signing', 0, 0).material)]
    rotate()
    expect(decodeProtectedHeader(mint(ann, APP).jwt).kid).toBe(state.keys[0].kid)
  })

  it('does not outlive the credential that it speaks of', () => {
    const { mint, state } = setup()
    const { jwt, freshUntil } = mint({ ...ann, expiresAt: state.now + 10_000 }, APP)
    expect(decodeJwt(jwt).exp).toBe((state.now + 10_000) / 1000)
    expect(freshUntil).toBe(state.now + 5_000)
  })

  it('leaves long lists out whole, and says so', () => {
    const { mint } = setup()
    const groups = Array.from({ length: 1000 }, (_, at) => `group-${at}`)
    const { jwt } = mint({ ...ann, groups }, APP)
    expect(jwt.length).toBeLessThan(2000)
    const claims = decodeJwt(jwt)
    expect(claims).toMatchObject({ lists_omitted: true })
    expect(claims).not.toHaveProperty('groups')
  })

  it('names the attributes that it is asked for, and no others', () => {
    const { mint } = setup()
    const full = { ...ann, name: 'Ann', roles: ['admin'], teams: ['blue'], claims: { organisation: 'acme' } }
    expect(decodeJwt(mint(full, APP).jwt)).toMatchObject({ name: 'Ann', teams: ['blue'], organisations: ['acme'] })
    const few = decodeJwt(mint(full, APP, ['email', 'roles']).jwt)
    expect(few).toMatchObject({ sub: 'usr_1', kind: 'person', email: 'ann@example.com', roles: ['admin'] })
    const others = ['name', 'groups', 'teams', 'scope', 'client_id', 'auth_method', 'organisations', 'lists_omitted']
    for (const claim of others) expect(few).not.toHaveProperty(claim)
  })

  it('says who acts for the caller (RFC 8693 §4.1)', () => {
    const { mint } = setup()
    expect(decodeJwt(mint(ann, APP).jwt)).not.toHaveProperty('act')
    const chat = { ...ANONYMOUS, subject: 'chat' }
    const acting = { ...ann, actor: { ...ANONYMOUS, subject: 'bot', actor: chat } }
    expect(decodeJwt(mint(acting, APP).jwt)['act']).toEqual({ sub: 'bot', act: { sub: 'chat' } })
  })

  it('is not made without a key', () => {
    const keyring = { signingKeys: () => [], onRotation: () => undefined }
    expect(() => assertionMinter({ keyring, issuer: ISSUER, clock: Date.now })).toThrow(TypeError)
  })
})
