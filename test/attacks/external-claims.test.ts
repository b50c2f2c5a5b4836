// Rows C15, C20 and C21 of the attack catalogue for tokens of another issuer: genuine signatures under the wrong words, and people who
// would like to be somebody else. RFC 7519 §4.1, RFC 8725 §2.4, OWASP ASVS 5.0 6.8.1.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExternalRange, startExternalRange } from '../support/external-range.ts'
import { type Bent, signedBy, startIssuer, type TestIssuer } from '../support/issuer.ts'
import { callTool } from '../support/mcp.ts'
import { attackTable } from '../support/range.ts'

let external: ExternalRange
beforeAll(async () => {
  external = await startExternalRange({ identity: { claims: ['department', 'org.unit'] } })
})
afterAll(() => external?.close())

const now = () => Math.floor(external.range.gateway.clock.now() / 1000)

interface Row {
  readonly id: string
  readonly bent: () => Bent
  readonly reason: string
}
const fire = ({ bent, reason }: Row) => external.expectRefused(external.token(bent()), reason)
const claim = (id: string, claims: () => Record<string, unknown>, reason: string): Row => ({
  id,
  bent: () => ({ claims: claims() }),
  reason,
})
const text = (id: string, change: (claims: string) => string, reason = 'malformed'): Row => ({
  id,
  bent: () => ({ claimsText: change(JSON.stringify(external.claims())) }),
  reason,
})

attackTable(
  'C15: claims of other types, signed by the issuer',
  [
    claim('no exp', () => ({ exp: undefined }), 'claim_type'),
    claim('exp null', () => ({ exp: null }), 'claim_type'),
    claim('exp as text', () => ({ exp: String(now() + 60) }), 'claim_type'),
    claim('exp 1e300', () => ({ exp: 1e300 }), 'claim_type'),
    claim('exp 0', () => ({ exp: 0 }), 'claim_type'),
    claim('exp true', () => ({ exp: true }), 'claim_type'),
    text('exp 1e400', (claims) => claims.replace(/"exp":\d+/, '"exp":1e400'), 'claim_type'),
    claim('exp a minute ago', () => ({ exp: now() - 60 }), 'expired'),
    claim('nbf in a minute', () => ({ nbf: now() + 60 }), 'not_yet_valid'),
    claim('nbf as text', () => ({ nbf: '0' }), 'not_yet_valid'),
    claim('iat in ten minutes', () => ({ iat: now() + 600, exp: now() + 1200 }), 'not_yet_valid'),
    claim('sub as a number', () => ({ sub: 1 }), 'claim_type'),
    claim('sub empty', () => ({ sub: '' }), 'claim_type'),
    claim('no sub', () => ({ sub: undefined }), 'claim_type'),
    claim('sub as a list', () => ({ sub: ['ext-ann'] }), 'claim_type'),
    claim('sub of 2 KB', () => ({ sub: 'x'.repeat(2048) }), 'claim_type'),
    claim('aud as an object', () => ({ aud: { aud: external.range.gateway.resource('canary') } }), 'audience_missing'),
    claim(
      'aud in a list in a list',
      () => ({ aud: [[external.range.gateway.resource('canary')]] }),
      'audience_missing',
    ),
    claim('scope as a number', () => ({ scope: 1 }), 'claim_type'),
    claim('a kept claim with a control character', () => ({ department: 'ops\u0000' }), 'claim_malformed'),
    claim('half a character in a kept claim', () => ({ org: { unit: ['north', 'ops\ud800'] } }), 'claim_malformed'),
    claim(
      'a kept claim of nine levels',
      () => ({ department: JSON.parse(`${'{"a":'.repeat(9)}1${'}'.repeat(9)}`) as unknown }),
      'claim_malformed',
    ),
    claim('groups as an object', () => ({ groups: { writers: true } }), 'claim_malformed'),
    claim('groups with a NUL', () => ({ groups: ['a\0'] }), 'claim_malformed'),
    claim('groups without end', () => ({ groups: Array.from({ length: 1001 }, (_, n) => `g${n}`) }), 'claim_malformed'),
    text('sub twice', (claims) => claims.replace('{', '{"sub":"ext-admin",')),
    text('sub twice, once escaped', (claims) => claims.replace('{', '{"s\\u0075b":"ext-admin",')),
    text('aud twice', (claims) => claims.replace('{', '{"aud":"x",')),
    text('a byte order mark', (claims) => `\ufeff${claims}`, 'bad_token'),
    text('__proto__ twice', (claims) => claims.replace('{', '{"__proto__":1,"__proto__":2,')),
    ...['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'oauth-authz-req+jwt'].map((typ) => ({
      id: `typ ${typ}`,
      bent: () => ({ header: { typ } }),
      reason: 'token_type',
    })),
    {
      id: 'an ID token',
      bent: () => ({ header: { typ: 'JWT' }, claims: { nonce: 'n' } }),
      reason: 'not_access_token',
    },
    claim('an event', () => ({ events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }), 'token_type'),
    claim('bound to a DPoP key', () => ({ cnf: { jkt: 'x' } }), 'token_bound'),
    claim('bound to a certificate', () => ({ cnf: { 'x5t#S256': 'x' } }), 'token_bound'),
  ],
  fire,
)

describe('C15: what a genuine token may have', () => {
  it.each([
    { id: 'a claim that nobody knows', claims: { x: { y: [1, 2] } } },
    {
      id: 'a claim called __proto__',
      claims: JSON.parse('{"__proto__":{"groups":["admin"]}}') as Record<string, unknown>,
    },
    { id: 'no iat', claims: { iat: undefined } },
    { id: 'no jti', claims: { jti: undefined } },
    { id: 'no client', claims: { client_id: undefined } },
    { id: 'clocks that differ by four seconds', claims: { nbf: Math.floor(Date.now() / 1000) + 4 } },
  ])('$id', async ({ claims }) => external.expectTaken(external.token({ claims })))

  it('until the second in which it ends here, remembered or not', async () => {
    const token = external.token()
    await external.expectTaken(token)
    external.range.gateway.clock.advance('604s')
    await external.expectTaken(token)
    external.range.gateway.clock.advance('2s')
    await external.expectRefused(token, 'expired')
  })
})

describe('C20: who somebody is', () => {
  let other: TestIssuer
  let guarded: ExternalRange
  beforeAll(async () => {
    other = await startIssuer()
    guarded = await startExternalRange({
      entry: { allowedEmails: ['*@corp.example'] },
      policy: {
        rules: [
          { allow: ['canary/*'], to: ['*'] },
          { deny: ['canary/*'], to: ['user:fired@corp.example', 'group:contractors'] },
        ],
      },
    })
  })
  afterAll(async () => {
    await guarded?.close()
    await other?.close()
  })

  const knock = async (claims: Record<string, unknown>) => {
    const before = guarded.range.canary.requests.length
    const { status } = await callTool(guarded.range.gateway.resource('canary'), guarded.token({ claims }), 'read_note')
    expect(guarded.range.canary.requests.length).toBe(before + (status === 200 ? 1 : 0))
    return status
  }
  const verified = (email: unknown) => ({ email, email_verified: true })

  it('an address counts when the issuer vouches for it, in any case of its letters', async () => {
    expect(await knock(verified('ann@corp.example'))).toBe(200)
    expect(await knock(verified('Ann@CORP.example'))).toBe(200)
  })

  it.each<[string, Record<string, unknown>]>([
    ['none', {}],
    ['one that nobody vouches for', { email: 'ann@corp.example' }],
    ['one that is not verified', { email: 'ann@corp.example', email_verified: false }],
    ['one that is verified as text', { email: 'ann@corp.example', email_verified: 'true' }],
    ['one that is verified by a number', { email: 'ann@corp.example', email_verified: 1 }],
    ['another host', verified('ann@evil.example')],
    ['a host below', verified('ann@x.corp.example')],
    ['a host behind', verified('ann@corp.example.evil.example')],
    ['two @', verified('ann@evil.example@corp.example')],
    ['a line break', verified('ann@corp.example\n')],
    ['a NUL', verified('ann@corp.example\0')],
    ['a space', verified('ann@ corp.example')],
    ['quotes', verified('"ann@evil.example"@corp.example')],
    ['a letter that folds to k', verified('ann@\u212aorp.example')],
    ['a long s', verified('ann@corp.example'.replace('p', '\u017f'))],
    ['a list', verified(['ann@corp.example'])],
    ['upn alone', { upn: 'ann@corp.example', preferred_username: 'ann@corp.example' }],
    ['sub alone', { sub: 'ann@corp.example' }],
  ])('not admitted: %s', async (_what, claims) => expect(await knock(claims)).toBe(403))

  it('an address that changed to a victim’s is still the attacker: the account is issuer and subject', async () => {
    const { gateway } = guarded.range
    const subjectOf = async (claims: Record<string, unknown>) => {
      const { headers } = await callTool(gateway.resource('canary'), guarded.token({ claims }), 'read_note')
      const id = headers.get('x-request-id')
      const events = await gateway.audit((all) => all.some((event) => event.id === id))
      return events.find((event) => event.id === id)?.subject
    }
    const attacker = await subjectOf({ sub: 'mallory', ...verified('mallory@corp.example') })
    expect(await subjectOf({ sub: 'mallory', ...verified('victim@corp.example') })).toBe(attacker)
    expect(await subjectOf({ sub: 'victim', ...verified('victim@corp.example') })).not.toBe(attacker)
  })

  it('what a deny rule closes stays closed to whom it names', async () => {
    expect(await knock(verified('fired@corp.example'))).toBe(404)
    expect(await knock({ ...verified('ann@corp.example'), groups: ['contractors'] })).toBe(404)
  })

  it('an issuer that is not configured is nobody, whatever it says', async () => {
    const token = signedBy(
      other.key,
      { typ: 'at+jwt' },
      { ...guarded.claims(), ...verified('ann@corp.example'), iss: other.issuer },
    )
    expect((await callTool(guarded.range.gateway.resource('canary'), token, 'read_note')).status).toBe(401)
    expect(other.asked).toEqual([])
  })
})

describe('C20: Entra', () => {
  const TENANT = '8d5e6f0a-1b2c-4d3e-8f90-a1b2c3d4e5f6'
  const FOREIGN = '11111111-2222-4333-8444-555555555555'
  it('a token of a tenant that is not listed, or names another than it is of, is refused', async () => {
    const keys = await startIssuer()
    const range = await startExternalRange({
      auth: {
        issuers: [
          {
            issuer: 'https://login.microsoftonline.com/common/v2.0',
            type: 'entra',
            tenants: [TENANT],
            audience: 'the-app',
            jwksUri: `${keys.issuer}/jwks`,
          },
        ],
      },
    })
    const knock = async (iss: string, tid: string) => {
      const claims = {
        ...range.claims(),
        aud: 'the-app',
        azp: 'c',
        ver: '2.0',
        tid,
        iss: `https://login.microsoftonline.com/${iss}/v2.0`,
      }
      const token = signedBy(keys.key, { typ: 'JWT' }, claims)
      return (await callTool(range.range.gateway.resource('canary'), token, 'read_note')).status
    }
    expect(await knock(TENANT, TENANT)).toBe(200)
    expect(await knock(FOREIGN, FOREIGN)).toBe(401)
    expect(await knock(TENANT, FOREIGN)).toBe(401)
    expect(await knock(FOREIGN, TENANT)).toBe(401)
    expect(await knock('common', TENANT)).toBe(401)
    expect(await knock(`${TENANT}/v2.0/${TENANT}`, TENANT)).toBe(401)
    await range.close()
    await keys.close()
  })
})

describe('C21: an address links no accounts', () => {
  it('a local account with the address of a token’s holder stays a stranger to it', async () => {
    const { gateway } = external.range
    const local = await gateway.addUser({
      username: 'ann-local',
      password: 'a long enough pass phrase',
      email: 'ext-ann@corp.example',
      groups: ['administrators'],
    })
    const claims = { email: 'ext-ann@corp.example', email_verified: true }
    const { headers } = await callTool(gateway.resource('canary'), external.token({ claims }), 'read_note')
    const id = headers.get('x-request-id')
    const events = await gateway.audit((all) => all.some((event) => event.id === id))
    const event = events.find((one) => one.id === id)
    expect(event?.subject).toBe(`${external.issuer.issuer}|ext-ann`)
    expect(event?.subject).not.toBe(local.id)
    expect(JSON.stringify(event)).not.toContain('administrators')
  })

  it('and an unverified address of a token is nobody’s at all', async () => {
    const range = await startExternalRange({
      policy: { rules: [{ allow: ['canary/*'], to: ['user:victim@corp.example'] }] },
    })
    const knock = async (claims: Record<string, unknown>) =>
      (await callTool(range.range.gateway.resource('canary'), range.token({ claims }), 'read_note')).status
    expect(await knock({ email: 'victim@corp.example', email_verified: true })).toBe(200)
    expect(await knock({ email: 'victim@corp.example' })).toBe(404)
    expect(await knock({ sub: 'victim@corp.example' })).toBe(404)
    await range.close()
  })
})
