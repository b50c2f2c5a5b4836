// Tokens of another issuer as a way to knock: whose they are, for whom, how long, and what is remembered of them.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Bent, signedBy, startIssuer, type TestIssuer } from '../../test/support/issuer.ts'
import { type OpenedWay, openWay, RESOURCE } from '../../test/support/issuer-way.ts'
import type { Credentials } from './way.ts'

let issuer: TestIssuer
let way: OpenedWay
beforeEach(async () => {
  issuer = await startIssuer({ path: '/realms/mcp' })
  way = openWay({ issuer: issuer.issuer })
})
afterEach(() => issuer.close())

const seconds = () => Math.floor(way.now / 1000)
const claims = () => ({
  iss: issuer.issuer,
  sub: 'ann',
  aud: RESOURCE,
  client_id: 'c1',
  iat: seconds() - 10,
  exp: seconds() + 600,
})
const token = (bent: Bent = {}) => signedBy(bent.key ?? issuer.key, { typ: 'at+jwt' }, claims(), bent)
const ANN = expect.objectContaining({ identity: 'ann' })

describe('whose it is', () => {
  it('is told by its issuer, letter by letter', async () => {
    expect(await way.judge(token())).toEqual(ANN)
    for (const iss of [
      `${issuer.issuer}x`,
      'https://else.example',
      '',
      ` ${issuer.issuer}`,
      issuer.issuer.toUpperCase(),
    ])
      expect(await way.judge(token({ claims: { iss } }))).toBe('not mine')
    for (const iss of [undefined, [issuer.issuer], 7])
      expect(await way.judge(token({ claims: { iss } }))).toBe('not mine')
  })

  it('opaque tokens and our own are nobody’s here', () => {
    expect([way.isMine('opaque-token'), way.isMine('pc_live_abc'), way.isMine('')]).toEqual([false, false, false])
  })

  it('nothing is fetched before the first token, and discovery and keys once for all of them', async () => {
    expect(issuer.asked).toEqual([])
    await Promise.all([way.judge(token()), way.judge(token({ claims: { jti: 'x' } }))])
    expect(issuer.asked).toEqual(['/realms/mcp/.well-known/openid-configuration', '/realms/mcp/jwks'])
  })
})

describe('a trailing slash', () => {
  it('too many is told at the first token', async () => {
    way = openWay({ issuer: `${issuer.issuer}/` })
    expect(await way.judge(token())).toBe('not mine')
    expect(await way.judge(token())).toBe('not mine')
    expect(way.told).toEqual([
      expect.stringMatching(
        /auth\.issuers: the issuer ".*\/mcp\/" calls itself ".*\/mcp"\. It has a trailing slash too many\./,
      ),
    ])
  })

  it('too many is told by the metadata, too', async () => {
    way = openWay({ issuer: `${issuer.issuer}/` })
    expect(await way.judge(token({ claims: { iss: `${issuer.issuer}/` } }))).toBe('issuer_unreachable')
    expect(way.told.join('\n')).toMatch(/trailing slash too many\. Write it letter by letter/)
  })

  it('too few is told as that', async () => {
    issuer.metadata = { issuer: `${issuer.issuer}/` }
    expect(await way.judge(token())).toBe('issuer_unreachable')
    expect(way.told.join('\n')).toMatch(/trailing slash too few/)
  })
})

describe('whom it is for', () => {
  it.each<[string, object, Record<string, unknown>, unknown]>([
    ['our address, where nothing else is said', {}, {}, ANN],
    ['our address among others', {}, { aud: ['https://else.example', RESOURCE] }, ANN],
    ['our address with a slash', {}, { aud: `${RESOURCE}/` }, 'audience_mismatch'],
    ['our address in capitals', {}, { aud: RESOURCE.toUpperCase() }, 'audience_mismatch'],
    ['a part of our address', {}, { aud: 'https://gate.example' }, 'audience_mismatch'],
    ['nobody', {}, { aud: undefined }, 'audience_missing'],
    ['nobody in a list', {}, { aud: [] }, 'audience_missing'],
    ['a list in a list', {}, { aud: [[RESOURCE]] }, 'audience_missing'],
    ['an object', {}, { aud: { a: RESOURCE } }, 'audience_missing'],
    ['the audience of its entry', { audience: 'api://gate' }, { aud: 'api://gate' }, ANN],
    ['one of those of its entry', { audience: ['a', 'b'] }, { aud: 'b' }, ANN],
    ['our address, where its entry names another', { audience: 'api://gate' }, {}, 'audience_mismatch'],
  ])('%s', async (_what, entry, bent, outcome) => {
    way = openWay({ issuer: issuer.issuer, ...entry })
    expect(await way.judge(token({ claims: bent }))).toEqual(outcome)
    // Remembered or not, the answer is the same.
    expect(await way.judge(token({ claims: bent }))).toEqual(outcome)
  })

  it('is judged at each server anew, though the token is known', async () => {
    const known = token()
    expect(await way.judge(known)).toEqual(ANN)
    expect(await way.judge(known, ['https://gate.example/servers/other/mcp'])).toBe('audience_mismatch')
    const elsewhere = async () =>
      way.at('api://else').prove(known, {} as Credentials, { server: 'x', resources: [RESOURCE] })
    await expect(elsewhere).rejects.toMatchObject({ reason: 'audience_mismatch' })
    expect(await way.judge(known)).toEqual(ANN)
  })
})

describe('how long', () => {
  it.each<[string, () => Record<string, unknown>, string]>([
    ['no exp', () => ({ exp: undefined }), 'claim_type'],
    ['exp as text', () => ({ exp: String(seconds() + 60) }), 'claim_type'],
    ['exp 1e300', () => ({ exp: 1e300 }), 'claim_type'],
    ['exp null', () => ({ exp: null }), 'claim_type'],
    ['exp negative', () => ({ exp: -1 }), 'claim_type'],
    ['exp in a list', () => ({ exp: [seconds() + 60] }), 'claim_type'],
    ['exp six seconds ago', () => ({ exp: seconds() - 6 }), 'expired'],
    ['nbf in a minute', () => ({ nbf: seconds() + 60 }), 'not_yet_valid'],
    ['nbf as text', () => ({ nbf: '0' }), 'not_yet_valid'],
    ['iat in ten minutes', () => ({ iat: seconds() + 600 }), 'not_yet_valid'],
    ['iat as text', () => ({ iat: 'x' }), 'not_yet_valid'],
    ['no sub', () => ({ sub: undefined }), 'claim_type'],
    ['sub as a number', () => ({ sub: 7 }), 'claim_type'],
    ['sub empty', () => ({ sub: '' }), 'claim_type'],
    ['scope as a number', () => ({ scope: 7 }), 'claim_type'],
    ['scp with a number', () => ({ scp: ['a', 7] }), 'claim_type'],
    ['groups with an object', () => ({ groups: [{ id: 1 }] }), 'claim_malformed'],
    ['groups with a line break', () => ({ groups: ['a\nb'] }), 'claim_malformed'],
  ])('%s', async (_what, bent, reason) => {
    expect(await way.judge(token({ claims: bent() }))).toBe(reason)
    expect(await way.judge(token())).toEqual(ANN)
  })

  it.each<[string, () => Record<string, unknown>]>([
    ['exp four seconds ago: clocks differ', () => ({ exp: seconds() - 4 })],
    ['exp with a fraction', () => ({ exp: seconds() + 60.5 })],
    ['nbf in four seconds', () => ({ nbf: seconds() + 4 })],
    ['no iat', () => ({ iat: undefined })],
  ])('%s is taken', async (_what, bent) => expect(await way.judge(token({ claims: bent() }))).toEqual(ANN))

  it('the tolerance is what the entry says', async () => {
    way = openWay({ issuer: issuer.issuer, clockTolerance: '60s' })
    expect(await way.judge(token({ claims: { exp: seconds() - 59 } }))).toEqual(ANN)
    expect(await way.judge(token({ claims: { exp: seconds() - 61 } }))).toBe('expired')
  })

  it('the oldest is what the entry says, and its end is the caller’s end', async () => {
    way = openWay({ issuer: issuer.issuer, maxTokenAge: '5m' })
    const iat = seconds() - 200
    expect(await way.judge(token({ claims: { iat } }))).toMatchObject({ expiresAt: (iat + 300) * 1000 + 5000 })
    expect(await way.judge(token({ claims: { iat: seconds() - 400 } }))).toBe('expired')
    expect(await way.judge(token({ claims: { iat: undefined } }))).toBe('claim_type')
  })

  it('ends what is remembered with the token', async () => {
    const known = token()
    expect(await way.judge(known)).toEqual(ANN)
    way.now += 604_000
    expect(await way.judge(known)).toEqual(ANN)
    way.now += 2000
    expect(await way.judge(known)).toBe('expired')
  })
})

describe('what is remembered', () => {
  it('is one token by its letters: no beginning, no end, no change of it', async () => {
    const known = token()
    expect(await way.judge(known)).toEqual(ANN)
    const [head = '', , signature = ''] = known.split('.')
    const other = Buffer.from(JSON.stringify({ ...claims(), sub: 'bob' })).toString('base64url')
    for (const forged of [
      `${head}.${other}.${signature}`,
      `${known}==`,
      known.slice(0, -1),
      `x${known}`,
      known.slice(1),
    ])
      expect(['bad_signature', 'malformed', 'not mine']).toContain(await way.judge(forged))
    expect(await way.judge(known)).toEqual(ANN)
  })

  it('is looked at again after five minutes: a withdrawn key ends its tokens', async () => {
    const known = token({ claims: { exp: seconds() + 86_400 } })
    expect(await way.judge(known)).toEqual(ANN)
    issuer.keySet = { keys: [] }
    way.now += 299_000
    expect(await way.judge(known)).toEqual(ANN)
    way.now += 301_000
    expect(await way.judge(known)).toBe('unknown_key')
  })

  it('outlasts an outage of the issuer', async () => {
    const known = token({ claims: { exp: seconds() + 86_400 } })
    await way.judge(known)
    await issuer.down()
    way.now += 3_600_000
    expect(await way.judge(known)).toEqual(ANN)
    expect(await way.judge(token({ header: { kid: 'unknown' } }))).toBe('unknown_key')
  })
})

describe('an issuer that was never there', () => {
  it('is an outage and no refusal of the token, with the time to try again', async () => {
    await issuer.down()
    const judged = way.prove(token(), {} as Credentials, { server: 'notes', resources: [RESOURCE] })
    await expect(judged).rejects.toMatchObject({ status: 503, retryAfter: 30 })
    await issuer.up()
    way.now += 30_000
    expect(await way.judge(token())).toEqual(ANN)
  })
})

describe('where its keys are', () => {
  it('may be written: then nothing is discovered', async () => {
    way = openWay({ issuer: 'https://nowhere.example', jwksUri: `${issuer.issuer}/jwks` })
    expect(await way.judge(token({ claims: { iss: 'https://nowhere.example' } }))).toEqual(ANN)
    expect(issuer.asked).toEqual(['/realms/mcp/jwks'])
  })

  it('RFC 8414 §3: is also told by a server that is no OpenID provider', async () => {
    issuer.instead.set('/realms/mcp/.well-known/openid-configuration', (_req, res) => void res.writeHead(404).end())
    issuer.instead.set('/.well-known/oauth-authorization-server/realms/mcp', (_req, res) => {
      res.end(JSON.stringify({ issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/jwks` }))
    })
    expect(await way.judge(token())).toEqual(ANN)
  })

  it.each([
    [
      'another host inside the house',
      () => ({ jwks_uri: issuer.issuer.replace('127.0.0.1', 'localhost') }),
      /public internet/,
    ],
    ['no address', () => ({ jwks_uri: 'keys' }), /no jwks_uri/],
    ['missing', () => ({ jwks_uri: undefined }), /no jwks_uri/],
  ])('is not believed when it is %s', async (_what, metadata, why) => {
    issuer.metadata = metadata()
    expect(await way.judge(token())).toBe('issuer_unreachable')
    expect(way.told.join('\n')).toMatch(why)
    expect(issuer.countOf('/realms/mcp/jwks')).toBe(0)
  })
})

it('requiredClaims and claimValues hold for its tokens, and are told', async () => {
  way = openWay({
    issuer: issuer.issuer,
    requiredClaims: ['org'],
    claimValues: { org: { values: ['acme'] }, team: { values: ['red', 'blue'], matchType: 'contains' } },
  })
  expect(await way.judge(token({ claims: { org: 'acme', team: ['blue'] } }))).toEqual(ANN)
  expect(await way.judge(token({ claims: { team: ['blue'] } }))).toBe('claim_required')
  expect(await way.judge(token({ claims: { org: 'evil', team: ['blue'] } }))).toBe('claim_value')
  expect(way.told.join('\n')).toMatch(/requiredClaims[\s\S]*claimValues/)
})

it('allowedEmails of its entry hold for its tokens', async () => {
  way = openWay({ issuer: issuer.issuer, allowedEmails: ['*@corp.example'] })
  const judge = (email: string, email_verified: unknown = true) =>
    way.judge(token({ claims: { email, email_verified } }))
  expect(await judge('Ann@corp.example')).toMatchObject({ email: 'ann@corp.example' })
  for (const email of ['ann@evil.example', 'a@evil.com@corp.example', 'ann@corp.example\n', 'ann@\u212aorp.example'])
    expect(await judge(email)).toBe('not_admitted')
  expect(await judge('ann@corp.example', false)).toBe('not_admitted')
  expect(await judge('ann@corp.example', 'true')).toBe('not_admitted')
})
