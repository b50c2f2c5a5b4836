// Tokens as each kind of authorization server really sends them, and what becomes of them: who is calling, in whose name, with what;
// and which of its other JWTs must not be taken for one.
import { describe, expect, it } from 'vitest'
import { signedBy, signingKey } from '../../test/support/issuer.ts'
import { openWay, RESOURCE } from '../../test/support/issuer-way.ts'
import type { Vouched } from './vouched.ts'

const KEY = signingKey('the-key')
const JWKS = JSON.stringify({ keys: [KEY.jwk] })
const NOW = Math.floor(Date.now() / 1000)
const TIMES = { iat: NOW - 10, exp: NOW + 3600 }
const TID = '8d5e6f0a-1b2c-4d3e-8f90-a1b2c3d4e5f6'
const OTHER_TID = '11111111-2222-4333-8444-555555555555'
const API = 'api://gate'

type Members = Record<string, unknown>
interface Sent {
  readonly of: string
  readonly entry: Members & { readonly issuer: string }
  readonly header?: Members
  readonly claims: Members
  readonly becomes: Partial<Vouched>
}

const keycloak = { type: 'keycloak', issuer: 'https://id.example/realms/mcp', audience: API }
const KEYCLOAK: Members = {
  ...TIMES,
  auth_time: NOW - 20,
  jti: 'onrtac:0c6cba0b-2c74-4d2c-a0a8-5c0b6c1ec4a0',
  iss: keycloak.issuer,
  aud: [API, 'account'],
  sub: 'b7c8a2f6-6f0e-4f0b-9d5e-3f2b1a0c9d8e',
  typ: 'Bearer',
  azp: 'mcp-inspector',
  sid: '6d4b3c2a',
  acr: '1',
  'allowed-origins': ['http://localhost:6274'],
  realm_access: { roles: ['offline_access', 'auditor'] },
  resource_access: { 'mcp-gateway': { roles: ['tool:greet'] }, account: { roles: ['view-profile'] } },
  scope: 'openid profile email groups',
  email_verified: true,
  name: 'Mona Cee Pea',
  groups: ['mcp-users', 'accounting'],
  preferred_username: 'mcp',
  email: 'MCP@corp.example',
}

const okta = { type: 'okta', issuer: 'https://acme.okta.com/oauth2/aus1', audience: 'api://default' }
const OKTA: Members = {
  ...TIMES,
  ver: 1,
  jti: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE',
  iss: okta.issuer,
  aud: 'api://default',
  cid: '0oabv6kx4qq6h1U5l0h7',
  uid: '00ujmkLgagxeRrAg20g3',
  scp: ['openid', 'profile'],
  auth_time: NOW - 20,
  sub: 'ann@corp.example',
  groups: ['Everyone', 'engineering'],
}

const entra = { type: 'entra', issuer: `https://login.microsoftonline.com/${TID}/v2.0`, audience: 'a1b2c3' }
const ENTRA_2: Members = {
  ...TIMES,
  nbf: NOW - 10,
  aud: 'a1b2c3',
  iss: entra.issuer,
  aio: 'AXQAi/8TAAAA',
  azp: '1fec8e78-bce4-4aaf-ab1b-5451cc387264',
  azpacr: '0',
  name: 'Ann',
  oid: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
  preferred_username: 'ann@corp.example',
  rh: '0.ARoA',
  scp: 'access_as_user tools.read',
  sub: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
  tid: TID,
  uti: 'fqiBqXLPj0eQa82S-IYFAA',
  ver: '2.0',
  groups: ['0d7a2a41-7a3f-4c0a-9d2f-4a1a6a5f1c11'],
  roles: ['Tool.Reader'],
}
const entra1 = { type: 'entra', issuer: `https://sts.windows.net/${TID}/`, audience: API }
const ENTRA_1: Members = {
  ...TIMES,
  nbf: NOW - 10,
  aud: API,
  iss: entra1.issuer,
  acr: '1',
  amr: ['pwd'],
  appid: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
  appidacr: '0',
  email: 'ceo@other.example',
  name: 'Ann',
  oid: ENTRA_2['oid'],
  scp: 'user_impersonation',
  sub: 'l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA',
  tid: TID,
  unique_name: 'ann@corp.example',
  upn: 'ann@corp.example',
  uti: 'TfWCM_Rkj0aPwX7DHXPRAA',
  ver: '1.0',
}
const entraMany = {
  type: 'entra',
  issuer: 'https://login.microsoftonline.com/organizations/v2.0',
  tenants: [TID.toUpperCase()],
  audience: 'a1b2c3',
}

const auth0 = { type: 'auth0', issuer: 'https://acme.eu.auth0.com/', audience: 'https://gate.example' }
const AUTH0: Members = {
  ...TIMES,
  iss: auth0.issuer,
  sub: 'auth0|5f7c8ec7c33c6c004bbafe82',
  aud: ['https://gate.example', 'https://acme.eu.auth0.com/userinfo'],
  azp: 'my_client_id',
  scope: 'openid profile email read:notes',
  permissions: ['read:notes'],
}

const google = {
  type: 'google',
  issuer: 'https://accounts.google.com',
  audience: '1234987819200.apps.googleusercontent.com',
}
const GOOGLE: Members = {
  ...TIMES,
  iss: google.issuer,
  azp: google.audience,
  aud: google.audience,
  sub: '110169484474386276334',
  at_hash: 'HK6E_P6Dh8Y93mRNtsDB1Q',
  hd: 'corp.example',
  email: 'ann@corp.example',
  email_verified: true,
  name: 'Ann',
}

const generic = { issuer: 'https://as.example' }
const RFC9068: Members = {
  ...TIMES,
  iss: generic.issuer,
  sub: '5ba552d67',
  aud: RESOURCE,
  client_id: 's6BhdRkqt3',
  jti: 'dbe39bf3a3ba4238a513f51d6e1691c4',
  scope: 'mcp:tools',
}

const SENT: readonly Sent[] = [
  {
    of: 'Keycloak, to a person',
    entry: keycloak,
    claims: KEYCLOAK,
    becomes: {
      kind: 'person',
      issuer: keycloak.issuer,
      identity: String(KEYCLOAK['sub']),
      email: 'mcp@corp.example',
      name: 'Mona Cee Pea',
      groups: ['mcp-users', 'accounting'],
      roles: ['offline_access', 'auditor'],
      client: 'mcp-inspector',
      scopes: ['openid', 'profile', 'email', 'groups'],
      scopeRule: 'required',
      method: 'external_token',
    },
  },
  {
    of: 'Keycloak, with the roles of a client beside those of the realm',
    entry: { ...keycloak, mapping: { roles: ['realm_access.roles', 'resource_access.mcp-gateway.roles'] } },
    claims: KEYCLOAK,
    becomes: { roles: ['offline_access', 'auditor', 'tool:greet'] },
  },
  {
    of: 'an older Keycloak, with the nonce of the sign-in',
    entry: keycloak,
    claims: { ...KEYCLOAK, nonce: 'a-nonce' },
    becomes: { kind: 'person' },
  },
  {
    of: 'Keycloak, to a service account',
    entry: keycloak,
    claims: {
      ...KEYCLOAK,
      azp: 'Batch',
      clientHost: '10.0.0.9',
      client_id: 'Batch',
      preferred_username: 'service-account-batch',
      email_verified: false,
      email: undefined,
      name: undefined,
    },
    becomes: { kind: 'service', client: 'Batch', email: undefined, name: 'service-account-batch' },
  },
  {
    of: 'Okta, to a person',
    entry: okta,
    header: { typ: undefined },
    claims: OKTA,
    becomes: {
      kind: 'person',
      identity: 'ann@corp.example',
      // That `sub` looks like an address is no proof of one.
      email: undefined,
      groups: ['Everyone', 'engineering'],
      client: '0oabv6kx4qq6h1U5l0h7',
      scopes: ['openid', 'profile'],
      tokenId: String(OKTA['jti']),
    },
  },
  {
    of: 'Okta, to a program',
    entry: okta,
    header: { typ: undefined },
    claims: { ...OKTA, uid: undefined, sub: OKTA['cid'], scp: ['tools'] },
    becomes: { kind: 'service', identity: '0oabv6kx4qq6h1U5l0h7', scopes: ['tools'] },
  },
  {
    of: 'Entra, version 2, to a person',
    entry: entra,
    claims: ENTRA_2,
    becomes: {
      kind: 'person',
      issuer: entra.issuer,
      email: undefined,
      name: 'Ann',
      groups: ['0d7a2a41-7a3f-4c0a-9d2f-4a1a6a5f1c11'],
      roles: ['Tool.Reader'],
      client: '1fec8e78-bce4-4aaf-ab1b-5451cc387264',
      scopes: ['access_as_user', 'tools.read'],
      tokenId: 'fqiBqXLPj0eQa82S-IYFAA',
    },
  },
  {
    of: 'Entra, version 1, to a person, with an address that a tenant made up',
    entry: entra1,
    header: { x5t: 'i6lGk3FZzxRcUb2C3nEQ7syHJlY' },
    claims: ENTRA_1,
    becomes: { kind: 'person', email: undefined, client: '6e74172b-be56-4843-9ff4-e66a39bb12e3' },
  },
  {
    of: 'Entra, with an address whose domain its owner verified',
    entry: entra1,
    claims: { ...ENTRA_1, email: 'ann@corp.example', xms_edov: true },
    becomes: { email: 'ann@corp.example' },
  },
  {
    of: 'Entra, to a program, told by idtyp',
    entry: entra,
    claims: { ...ENTRA_2, idtyp: 'app', scp: undefined, sub: ENTRA_2['oid'] },
    becomes: { kind: 'service', roles: ['Tool.Reader'], scopes: [] },
  },
  {
    of: 'Entra, to a program, without idtyp',
    entry: entra,
    claims: { ...ENTRA_2, scp: undefined, sub: ENTRA_2['oid'] },
    becomes: { kind: 'service' },
  },
  {
    of: 'Entra for many tenants: an account of its tenant',
    entry: entraMany,
    claims: ENTRA_2,
    becomes: { issuer: entra.issuer },
  },
  {
    of: 'Auth0, to a person',
    entry: auth0,
    claims: AUTH0,
    becomes: { kind: 'person', client: 'my_client_id', scopes: ['openid', 'profile', 'email', 'read:notes'] },
  },
  {
    of: 'Auth0, with its RFC 9068 profile',
    entry: auth0,
    header: { typ: 'at+jwt' },
    claims: { ...AUTH0, azp: undefined, client_id: 'my_client_id', jti: 'x' },
    becomes: { kind: 'person', client: 'my_client_id', tokenId: 'x' },
  },
  {
    of: 'Auth0, to a program',
    entry: auth0,
    claims: { ...AUTH0, sub: 'my_client_id@clients', gty: 'client-credentials', scope: 'read:notes' },
    becomes: { kind: 'service', identity: 'my_client_id@clients' },
  },
  {
    of: 'Auth0, with claims under a name of their own',
    entry: { ...auth0, mapping: { groups: 'https://corp.example/groups' } },
    claims: { ...AUTH0, 'https://corp.example/groups': ['engineering'] },
    becomes: { groups: ['engineering'] },
  },
  {
    of: 'Google, an ID token',
    entry: google,
    claims: GOOGLE,
    becomes: { kind: 'person', identity: '110169484474386276334', email: 'ann@corp.example', scopes: [] },
  },
  {
    of: 'Google, under its name without a scheme: the same account',
    entry: google,
    claims: { ...GOOGLE, iss: 'accounts.google.com' },
    becomes: { issuer: google.issuer, identity: '110169484474386276334' },
  },
  {
    of: 'Google, of a service account',
    entry: google,
    claims: { ...GOOGLE, email: 'batch@corp.iam.gserviceaccount.com' },
    becomes: { kind: 'service' },
  },
  {
    of: 'a server as RFC 9068 has it, for our own address',
    entry: generic,
    header: { typ: 'at+jwt' },
    claims: RFC9068,
    becomes: { kind: 'person', client: 's6BhdRkqt3', scopes: ['mcp:tools'], scopeRule: 'required' },
  },
  {
    of: 'the same, with scopes that are ours',
    entry: { ...generic, scopes: true },
    header: { typ: 'application/at+jwt' },
    claims: RFC9068,
    becomes: { scopeRule: 'covers' },
  },
  {
    of: 'the same, to a program',
    entry: generic,
    header: { typ: 'at+jwt' },
    claims: { ...RFC9068, sub: RFC9068['client_id'] },
    becomes: { kind: 'service' },
  },
  {
    of: 'a server that puts Google’s long names of scopes into them',
    entry: generic,
    claims: { ...RFC9068, scope: 'https://www.googleapis.com/auth/userinfo.email openid' },
    becomes: { scopes: ['email', 'openid'] },
  },
]

const judge = ({ entry, header, claims }: Pick<Sent, 'entry' | 'header' | 'claims'>) =>
  openWay({ jwks: JWKS, ...entry }).judge(signedBy(KEY, { typ: 'JWT', ...header }, claims))

describe('what is really sent', () => {
  it.each(SENT)('by $of', async ({ becomes, ...sent }) => {
    expect(await judge(sent)).toMatchObject(becomes)
  })
})

const HUGE = { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.example/x' } } }

/** Signed by the very issuer, for the very audience, and yet nothing to call with. */
const NOT_TAKEN: readonly (Omit<Sent, 'becomes'> & { readonly reason: string })[] = [
  { of: 'Keycloak: an ID token', entry: keycloak, claims: { ...KEYCLOAK, typ: 'ID' }, reason: 'not_access_token' },
  {
    of: 'Keycloak: a refresh token',
    entry: keycloak,
    claims: { ...KEYCLOAK, typ: 'Refresh' },
    reason: 'not_access_token',
  },
  { of: 'Keycloak: a logout token', entry: keycloak, claims: { ...KEYCLOAK, events: {} }, reason: 'token_type' },
  {
    of: 'Keycloak: a token bound to a DPoP key',
    entry: keycloak,
    claims: { ...KEYCLOAK, cnf: { jkt: 'x' } },
    reason: 'token_bound',
  },
  { of: 'Okta: an ID token', entry: okta, claims: { ...OKTA, cid: undefined }, reason: 'not_access_token' },
  {
    of: 'Okta: a token of its organization server',
    entry: okta,
    header: { typ: 'application/okta-internal-at+jwt' },
    claims: OKTA,
    reason: 'token_type',
  },
  { of: 'Entra: an ID token', entry: entra, claims: { ...ENTRA_2, azp: undefined }, reason: 'not_access_token' },
  { of: 'Entra: more groups than fit', entry: entra, claims: { ...ENTRA_2, ...HUGE }, reason: 'groups_overage' },
  {
    of: 'Entra: of a tenant that is not listed',
    entry: entraMany,
    claims: { ...ENTRA_2, iss: `https://login.microsoftonline.com/${OTHER_TID}/v2.0`, tid: OTHER_TID },
    reason: 'tenant_unknown',
  },
  {
    of: 'Entra: of one tenant in the name of another',
    entry: entraMany,
    claims: { ...ENTRA_2, tid: OTHER_TID },
    reason: 'tenant_mismatch',
  },
  {
    of: 'Entra: without a tenant',
    entry: entraMany,
    claims: { ...ENTRA_2, tid: undefined },
    reason: 'tenant_mismatch',
  },
  {
    of: 'Entra: of the tenant of its issuer, which is not listed',
    entry: { ...entra, tenants: [OTHER_TID] },
    claims: ENTRA_2,
    reason: 'tenant_unknown',
  },
  { of: 'Entra: version 1 where version 2 is named', entry: entra, claims: ENTRA_1, reason: 'not mine' },
  { of: 'Auth0: an ID token', entry: auth0, claims: { ...AUTH0, azp: undefined }, reason: 'not_access_token' },
  {
    of: 'Auth0: for its UserInfo alone',
    entry: auth0,
    claims: { ...AUTH0, aud: AUTH0['iss'] },
    reason: 'audience_mismatch',
  },
  { of: 'Google: for another client', entry: google, claims: { ...GOOGLE, aud: 'other' }, reason: 'audience_mismatch' },
  { of: 'generic: an ID token', entry: generic, claims: { ...RFC9068, nonce: 'x' }, reason: 'not_access_token' },
  {
    of: 'generic: an ID token without a nonce',
    entry: generic,
    claims: { ...RFC9068, at_hash: 'x' },
    reason: 'not_access_token',
  },
  ...['logout+jwt', 'secevent+jwt', 'dpop+jwt', 'token-introspection+jwt', 'oauth-authz-req+jwt', ''].map((typ) => ({
    of: `generic: a JWT of type "${typ}"`,
    entry: generic,
    header: { typ },
    claims: RFC9068,
    reason: 'token_type',
  })),
]

describe('what is not taken, though it is genuine', () => {
  it.each(NOT_TAKEN)('$of', async ({ reason, ...sent }) => expect(await judge(sent)).toBe(reason))
})

describe('what the operator is told', () => {
  const toldBy = async (entry: object, claims: Members, header: Members = {}) => {
    const way = openWay({ jwks: JWKS, ...entry })
    const token = signedBy(KEY, { typ: 'JWT', ...header }, claims)
    await way.judge(token)
    await way.judge(token)
    expect(way.told.join()).not.toContain(token.split('.')[2])
    return way.told
  }
  it.each<[string, Promise<readonly string[]>, RegExp]>([
    ['too many groups', toldBy(entra, { ...ENTRA_2, ...HUGE }), /groups_overage.*Groups assigned to the application/],
    ['an audience', toldBy({ ...okta, audience: 'x' }, OKTA), /another audience.*api:\/\/default/],
    ['an ID token', toldBy(okta, { ...OKTA, cid: undefined }), /access token/],
    ['version 1 for version 2', toldBy(entra, ENTRA_1), /sts\.windows\.net.*requestedAccessTokenVersion/],
    [
      'version 2 for version 1',
      toldBy(entra1, { ...ENTRA_2, aud: API }),
      /login\.microsoftonline\.com.*requestedAccessTokenVersion/,
    ],
    ['a tenant', toldBy({ ...entra, tenants: [OTHER_TID] }, ENTRA_2), /Add it to tenants/],
  ])('of %s: once, with the cure, and without the token', async (_what, telling, cure) => {
    expect(await telling).toEqual([expect.stringMatching(cure)])
  })

  it('not of a version that another entry takes', async () => {
    const way = openWay({ jwks: JWKS, ...entra }, [entra1.issuer])
    expect(await way.judge(signedBy(KEY, {}, ENTRA_1))).toBe('not mine')
    expect(way.told).toEqual([])
  })
})
