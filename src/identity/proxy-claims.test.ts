// Claims in a header, signed by nobody: Istio's payload, Azure's principal. They count from whoever is trusted, and only whole.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Fields, openEdge } from '../../test/support/edge-way.ts'
import { readClaims } from './jwt.ts'
import { decodeBase64 } from './proxy-claims.ts'

const url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const plain = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')
const seconds = () => Math.floor(Date.now() / 1000)

describe('Istio: outputPayloadToHeader', () => {
  const ISSUER = 'https://id.example'
  const claims = () => ({
    iss: ISSUER,
    sub: 'ann',
    aud: ['mesh'],
    exp: seconds() + 60,
    email: 'Ann@corp.example',
    email_verified: true,
    name: 'Ann Smith',
    groups: ['eng', 'ops'],
  })
  const judge = (value: string | readonly string[], more: object = {}, trusted = true) =>
    openEdge({ preset: 'istio', ...more }).judge({ 'X-User-Id': value }, trusted)
  const ANN = {
    method: 'proxy',
    kind: 'person',
    issuer: ISSUER,
    identity: 'ann',
    email: 'ann@corp.example',
    name: 'Ann Smith',
    groups: ['eng', 'ops'],
  }

  it('names the caller as the token’s issuer does', async () => {
    const { exp } = claims()
    expect(await judge(url({ ...claims(), exp }))).toMatchObject({ ...ANN, expiresAt: (exp + 30) * 1000 })
  })

  it('in base64url or base64, padded or not, in a header of any name', async () => {
    for (const name of ['', 'a', 'ab', 'abc', 'ÿþ?>']) {
      const said = { ...claims(), more: name }
      for (const written of [url(said), plain(said), plain(said).replace(/=+$/, '')])
        expect(await judge(written)).toMatchObject(ANN)
    }
    const own = openEdge({ preset: 'istio', userHeader: 'X-Jwt-Claims' })
    expect(await own.judge({ 'x-jwt-claims': url(claims()) })).toMatchObject(ANN)
    expect(await own.judge({ 'x-user-id': url(claims()) })).toBe('nobody')
  })

  it('from a peer that is not trusted is air, and is told', async () => {
    const way = openEdge({ preset: 'istio' })
    expect(await way.judge({ 'X-User-Id': url(claims()) }, false)).toBe('nobody')
    expect(way.whyNobody({ 'X-User-Id': url(claims()) }, false)).toBe('proxy_header_untrusted')
    expect(way.told.join()).toContain('server.trustedProxies')
    // Also where no proxy is named at all: nobody signed it.
    expect(await openEdge({ preset: 'istio' }, { named: false }).judge({ 'X-User-Id': url(claims()) }, false)).toBe(
      'nobody',
    )
  })

  it('the same subject of another issuer is somebody else; without an issuer they are the proxy’s', async () => {
    expect(await judge(url({ ...claims(), iss: 'https://else.example' }))).toMatchObject({
      issuer: 'https://else.example',
    })
    expect(await judge(url({ sub: 'ann' }))).toMatchObject({ issuer: 'proxy', identity: 'ann', expiresAt: undefined })
  })

  it.each<[string, object, object, string]>([
    ['another issuer', { iss: 'https://else.example' }, { issuer: ISSUER }, 'issuer_mismatch'],
    ['no issuer', { iss: undefined }, { issuer: ISSUER }, 'issuer_mismatch'],
    ['another audience', { aud: 'else' }, { audience: ['mesh', 'more'] }, 'audience_mismatch'],
    ['no audience', { aud: undefined }, { audience: 'mesh' }, 'audience_mismatch'],
    ['expired', { exp: seconds() - 31 }, {}, 'expired'],
    ['an end that is text', { exp: '1' }, {}, 'claim_type'],
    ['no subject', { sub: undefined }, {}, 'claim_type'],
    ['an empty subject', { sub: '' }, {}, 'claim_type'],
    ['a subject of numbers', { sub: 7 }, {}, 'claim_type'],
    ['groups that are none', { groups: { a: 1 } }, {}, 'claim_malformed'],
    ['groups elsewhere', { groups: undefined, _claim_names: { groups: 'src' } }, {}, 'groups_overage'],
  ])('%s is refused', async (_what, bent, settings, reason) => {
    expect(await judge(url({ ...claims(), ...bent }), settings)).toBe(reason)
    expect(await judge(url(claims()), { issuer: ISSUER, audience: 'mesh' })).toMatchObject(ANN)
  })

  it('an address counts where the token says that it is verified', async () => {
    for (const email_verified of [undefined, false, 'no', null])
      expect(await judge(url({ ...claims(), email_verified }))).toMatchObject({ identity: 'ann', email: undefined })
  })

  it('groups may be in another claim', async () => {
    const roles = { realm_access: { roles: ['a'] } }
    expect(await judge(url({ ...claims(), ...roles }), { groupsClaim: 'realm_access.roles' })).toMatchObject({
      groups: ['a'],
    })
  })

  const header = url({ alg: 'none' })
  it.each<[string, string | readonly string[], string]>([
    ['a name', 'ann', 'identity_header_malformed'],
    ['an address', 'ann@corp.example', 'identity_header_malformed'],
    ['a token', `${header}.${url({ sub: 'ann' })}.x`, 'identity_header_malformed'],
    ['text that is no object', url('ann'), 'identity_header_malformed'],
    ['a list', url([{ sub: 'ann' }]), 'identity_header_malformed'],
    ['null', url(null), 'identity_header_malformed'],
    ['a subject twice', Buffer.from('{"sub":"ann","sub":"root"}').toString('base64url'), 'identity_header_malformed'],
    ['bytes that are no text', Buffer.from('{"sub":"\xe9"}', 'latin1').toString('base64'), 'identity_header_malformed'],
    ['a byte order mark', Buffer.from('\ufeff{"sub":"ann"}').toString('base64'), 'identity_header_malformed'],
    ['JSON as it is', '{"sub":"ann"}', 'identity_header_malformed'],
    ['two values', `${url({ sub: 'ann' })},${url({ sub: 'root' })}`, 'identity_header_malformed'],
    ['two lines', [url({ sub: 'ann' }), url({ sub: 'root' })], 'identity_header_repeated'],
  ])('%s is refused', async (_what, value, reason) => {
    expect(await judge(value)).toBe(reason)
    expect(await judge(url({ sub: 'ann' }))).toMatchObject({ identity: 'ann' })
  })

  it('nothing is nobody', async () => {
    for (const value of ['', '  ']) expect(await judge(value)).toBe('nobody')
  })
})

describe('Azure: X-MS-CLIENT-PRINCIPAL', () => {
  const principal = (claims: readonly (readonly [string, unknown])[], more: object = {}) =>
    plain({
      auth_typ: 'aad',
      name_typ: 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
      role_typ: 'http://schemas.microsoft.com/ws/2008/06/identity/claims/role',
      claims: claims.map(([typ, val]) => ({ typ, val })),
      ...more,
    })
  const ID = '0b1c2d3e-aaaa-bbbb-cccc-ddddeeeeffff'
  const ann = (more: Fields = {}): Fields => ({
    'X-MS-CLIENT-PRINCIPAL-ID': ID,
    'X-MS-CLIENT-PRINCIPAL-NAME': 'Ann@corp.example',
    'X-MS-CLIENT-PRINCIPAL-IDP': 'aad',
    'X-MS-CLIENT-PRINCIPAL': principal([
      ['iss', 'https://login.microsoftonline.com/tenant/v2.0'],
      ['aud', 'client'],
      ['name', 'Ann Smith'],
      ['groups', 'g1'],
      ['groups', 'g2'],
      ['roles', 'Reader'],
      ['http://schemas.microsoft.com/ws/2008/06/identity/claims/role', 'Writer'],
    ]),
    ...more,
  })
  const judge = (fields: Fields, settings: object = {}) =>
    openEdge({ preset: 'azure-easyauth', ...settings }).judge(fields)
  const ANN = {
    method: 'proxy',
    issuer: 'proxy',
    identity: `aad:${ID}`,
    email: 'ann@corp.example',
    name: 'Ann Smith',
    groups: ['g1', 'g2'],
    roles: ['Reader', 'Writer'],
  }

  it('names the caller by provider and id, with groups and roles', async () => {
    expect(await judge(ann())).toMatchObject(ANN)
  })

  it('without its claims it is a name alone', async () => {
    const named = { ...ann(), 'X-MS-CLIENT-PRINCIPAL': '' }
    expect(await judge(named)).toMatchObject({ ...ANN, name: 'Ann@corp.example', groups: [], roles: [] })
    expect(await judge({ 'X-MS-CLIENT-PRINCIPAL-ID': ID })).toMatchObject({ identity: ID, email: undefined })
  })

  it('whose name changed is the same person; the name alone is nobody', async () => {
    expect(await judge(ann({ 'X-MS-CLIENT-PRINCIPAL-NAME': 'root@corp.example' }))).toMatchObject({
      identity: `aad:${ID}`,
    })
    for (const id of ['', ' ']) expect(await judge(ann({ 'X-MS-CLIENT-PRINCIPAL-ID': id }))).toBe('nobody')
    const { 'X-MS-CLIENT-PRINCIPAL-ID': _, ...anonymous } = ann()
    expect(await judge(anonymous)).toBe('nobody')
  })

  it('an address is one where the provider gives it, not where people choose it', async () => {
    const by = (idp: string) => judge(ann({ 'X-MS-CLIENT-PRINCIPAL-IDP': idp }))
    expect(await by('google')).toMatchObject({ identity: `google:${ID}`, email: 'ann@corp.example' })
    for (const idp of ['github', 'facebook', 'my-oidc', 'AAD'])
      expect(await by(idp)).toMatchObject({ identity: `${idp}:${ID}`, email: undefined })
    const guest = 'ann_else.example#EXT#@corp.onmicrosoft.com'
    expect(await judge(ann({ 'X-MS-CLIENT-PRINCIPAL-NAME': guest }))).toMatchObject({
      email: undefined,
      identity: `aad:${ID}`,
    })
    const encoded = '=?utf-8?q?root=40corp.example?='
    expect(await judge(ann({ 'X-MS-CLIENT-PRINCIPAL-NAME': encoded }))).toMatchObject({ email: undefined })
  })

  it('is held to issuer and audience where they are set', async () => {
    const issuer = 'https://login.microsoftonline.com/tenant/v2.0'
    expect(await judge(ann(), { issuer, audience: 'client' })).toMatchObject(ANN)
    expect(await judge(ann(), { issuer: 'https://else.example' })).toBe('issuer_mismatch')
    expect(await judge(ann(), { audience: 'else' })).toBe('audience_mismatch')
    expect(await judge(ann({ 'X-MS-CLIENT-PRINCIPAL': '' }), { issuer })).toBe('issuer_mismatch')
  })

  it.each<[string, Fields, string]>([
    ['two ids', { 'X-MS-CLIENT-PRINCIPAL-ID': [ID, 'root'] }, 'identity_header_repeated'],
    ['a list of ids', { 'X-MS-CLIENT-PRINCIPAL-ID': `${ID},root` }, 'identity_header_list'],
    ['two names', { 'X-MS-CLIENT-PRINCIPAL-NAME': ['a@corp.example', 'b@corp.example'] }, 'identity_header_repeated'],
    ['two providers', { 'X-MS-CLIENT-PRINCIPAL-IDP': ['aad', 'google'] }, 'identity_header_repeated'],
    ['two principals', { 'X-MS-CLIENT-PRINCIPAL': [principal([]), principal([])] }, 'identity_header_repeated'],
    ['a principal that is none', { 'X-MS-CLIENT-PRINCIPAL': 'ann' }, 'identity_header_malformed'],
    ['no list of claims', { 'X-MS-CLIENT-PRINCIPAL': plain({ claims: { groups: 'a' } }) }, 'identity_header_malformed'],
    ['a claim that is none', { 'X-MS-CLIENT-PRINCIPAL': plain({ claims: ['groups'] }) }, 'identity_header_malformed'],
    ['a claim without its value', { 'X-MS-CLIENT-PRINCIPAL': principal([['groups', 7]]) }, 'identity_header_malformed'],
    [
      'an empty group',
      {
        'X-MS-CLIENT-PRINCIPAL': principal([
          ['groups', 'a'],
          ['groups', ''],
        ]),
      },
      'claim_malformed',
    ],
    ['too many groups', { 'X-MS-CLIENT-PRINCIPAL': principal([['hasgroups', 'true']]) }, 'groups_overage'],
    [
      'groups elsewhere',
      { 'X-MS-CLIENT-PRINCIPAL': principal([['_claim_names', '{"groups":"src1"}']]) },
      'groups_overage',
    ],
  ])('%s: refused', async (_what, bent, reason) => {
    expect(await judge(ann(bent))).toBe(reason)
    expect(await judge(ann())).toMatchObject(ANN)
  })

  it('a claim called after what every object has is a claim', async () => {
    const odd = principal([
      ['__proto__', 'x'],
      ['constructor', 'y'],
      ['groups', 'g'],
    ])
    expect(await judge(ann({ 'X-MS-CLIENT-PRINCIPAL': odd }))).toMatchObject({ groups: ['g'] })
    expect(await judge(ann({ 'X-MS-CLIENT-PRINCIPAL': odd }), { groupsClaim: '__proto__' })).toMatchObject({
      groups: ['x'],
    })
  })
})

describe('whatever is sent', () => {
  const nasty = fc.oneof(
    fc.string(),
    fc.base64String(),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
    fc.json().map((text) => Buffer.from(text).toString('base64')),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
    fc.array(fc.record({ typ: fc.string(), val: fc.string() })).map((claims) => plain({ claims })),
    fc.jsonValue().map((claims) => plain({ claims, sub: claims, groups: claims, aud: claims, exp: claims })),
  )
  const istio = openEdge({ preset: 'istio', issuer: 'https://id.example' })
  const azure = openEdge({ preset: 'azure-easyauth' })

  it('is somebody, nobody, or refused with a reason: no decoder fails otherwise', async () => {
    await fc.assert(
      fc.asyncProperty(nasty, async (value) => {
        for (const found of [
          await istio.judge({ 'X-User-Id': value }),
          await azure.judge({ 'X-MS-CLIENT-PRINCIPAL-ID': 'id', 'X-MS-CLIENT-PRINCIPAL': value }),
        ])
          if (typeof found === 'string') expect(found).toMatch(/^[a-z_]+$/)
          else expect(found.identity).not.toBe('')
        expect(await istio.judge({ 'X-User-Id': value })).toEqual(expect.any(String))
      }),
      { numRuns: 500 },
    )
  })

  it('has one spelling an alphabet: what is decoded is what was encoded', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        const buffer = Buffer.from(bytes)
        const forms = [
          buffer.toString('base64url'),
          buffer.toString('base64'),
          buffer.toString('base64').replace(/=+$/, ''),
        ]
        for (const form of forms) expect(decodeBase64(form)?.equals(buffer)).toBe(true)
        const [bare = ''] = forms
        // The last letter's spare bits, and every letter that is of neither alphabet.
        for (const letter of 'AEIQgw')
          if (!bare.endsWith(letter)) {
            const other = decodeBase64(bare.slice(0, -1) + letter)
            expect(other === undefined || !other.equals(buffer)).toBe(true)
          }
        for (const odd of [`${bare} `, ` ${bare}`, `${bare}\n`, `${bare}===`, `${bare}.`, `${bare}é`])
          expect(decodeBase64(odd)).toBeUndefined()
      }),
    )
  })

  it('is read as JSON.parse reads it, or not at all', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (value) => {
        const text = JSON.stringify(value)
        expect(readClaims(Buffer.from(text))).toEqual(JSON.parse(text))
      }),
    )
  })
})
