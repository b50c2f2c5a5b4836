// Tokens of the company's own authorization server at the MCP door: which count, which do not, and what the gate knows of their holder.
import { generateKeyPairSync, sign } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExternalRange, startExternalRange } from '../support/external-range.ts'
import { type Bent, signedBy, signingKey, startIssuer } from '../support/issuer.ts'
import { callTool, listTools } from '../support/mcp.ts'
import { shoot } from '../support/range.ts'

let external: ExternalRange
beforeAll(async () => {
  external = await startExternalRange({
    entry: { audience: undefined },
    policy: {
      rules: [
        { id: 'notes', allow: ['canary/read_note'], to: ['*'] },
        { id: 'writers', allow: ['canary/write_note'], to: ['group:writers', 'role:editor', 'client:ext-robot'] },
      ],
    },
  })
})
afterAll(() => external?.close())

const url = () => external.range.gateway.resource('canary')
const now = () => Math.floor(external.range.gateway.clock.now() / 1000)
const toolsOf = async (token: string) => {
  const { status, body } = await listTools(url(), token)
  expect(status).toBe(200)
  return (body['result'] as { tools: { name: string }[] }).tools.map(({ name }) => name)
}

describe('a token of the issuer', () => {
  it('opens the door, and the record knows whose it is', async () => {
    const { gateway } = external.range
    const { status, headers } = await callTool(url(), external.token(), 'read_note')
    expect(status).toBe(200)
    const id = headers.get('x-request-id')
    const events = await gateway.audit((all) => all.some((event) => event.id === id))
    expect(events.find((event) => event.id === id)).toMatchObject({
      decision: 'allow',
      subject: `${external.issuer.issuer}|ext-ann`,
      client: 'ext-client',
    })
  })

  it('is worth what its groups, roles and client are worth', async () => {
    expect(await toolsOf(external.token())).toEqual(['read_note'])
    for (const claims of [{ groups: ['writers'] }, { roles: ['editor'] }, { client_id: 'ext-robot' }])
      expect(await toolsOf(external.token({ claims }))).toEqual(['read_note', 'write_note'])
  })

  it('may say `bearer` in small letters, and nothing else in its place', async () => {
    const answer = (line: string) => shoot(external.range, { bend: { Authorization: line } })
    expect((await answer(`bearer ${external.token()}`)).status).toBe(200)
    for (const line of ['Bearer', 'Bearer ', `Bearer  ${external.token()}`, `Bearer ${external.token()} x`])
      expect((await answer(line)).status).toBe(401)
    expect((await answer(`Token ${external.token()}`)).status).toBe(401)
  })

  it('stands beside ours: both open the same door', async () => {
    expect((await callTool(url(), external.range.token, 'read_note')).status).toBe(200)
  })
})

describe('case by case', () => {
  const thief = signingKey()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const cases: readonly (readonly [string, () => Bent, string])[] = [
    [
      'another key under the kid of the issuer',
      () => ({ key: { ...thief, kid: external.issuer.key.kid }, header: { kid: external.issuer.key.kid } }),
      'bad_signature',
    ],
    ['a kid of nobody', () => ({ key: thief }), 'unknown_key'],
    ['RS256 by the header', () => ({ header: { alg: 'RS256' } }), 'unknown_key'],
    ['HS256', () => ({ header: { alg: 'HS256' } }), 'algorithm'],
    ['none', () => ({ header: { alg: 'none' } }), 'algorithm'],
    ['an algorithm that is not listed', () => ({ header: { alg: 'ES384' } }), 'algorithm'],
    ['expired', () => ({ claims: { exp: now() - 60 } }), 'expired'],
    ['not yet', () => ({ claims: { nbf: now() + 60 } }), 'not_yet_valid'],
    ['from the future', () => ({ claims: { iat: now() + 600 } }), 'not_yet_valid'],
    ['without an end', () => ({ claims: { exp: undefined } }), 'claim_type'],
    [
      'for another server of ours',
      () => ({ claims: { aud: external.range.gateway.resource('other') } }),
      'audience_mismatch',
    ],
    ['for nobody', () => ({ claims: { aud: undefined } }), 'audience_missing'],
    ['of another issuer', () => ({ claims: { iss: 'https://else.example' } }), 'bad_token'],
    ['of the issuer with a slash', () => ({ claims: { iss: `${external.issuer.issuer}/` } }), 'bad_token'],
    ['of us', () => ({ claims: { iss: external.range.gateway.url } }), 'bad_token'],
  ]
  it.each(cases)('%s is refused', async (_what, bent, reason) => {
    await external.expectRefused(external.token(bent()), reason)
  })

  it('RS256 with a key that is published for it is taken', async () => {
    const jwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa', use: 'sig' }
    external.issuer.keySet = { keys: [external.issuer.key.jwk, jwk] }
    external.range.gateway.clock.advance('11m')
    await external.expectTaken(
      external.token({
        header: { alg: 'RS256', kid: 'rsa' },
        signature: (input) => sign('sha256', input, rsa.privateKey),
      }),
    )
  })
})

describe('keys of the issuer', () => {
  const JWKS = '/realms/mcp/jwks'
  it('that are new are fetched once, whatever kids are made up beside them', async () => {
    external.range.gateway.clock.advance('31s')
    const before = external.issuer.countOf(JWKS)
    external.issuer.rotate()
    await external.expectTaken(external.token())
    for (let n = 0; n < 20; n++) await callTool(url(), external.token({ header: { kid: `made-up-${n}` } }), 'read_note')
    expect(external.issuer.countOf(JWKS)).toBe(before + 1)
  })

  it('are used on while the issuer is down; nothing new is believed', async () => {
    await external.expectTaken(external.token())
    await external.issuer.down()
    external.range.gateway.clock.advance('1h')
    await external.expectTaken(external.token({ claims: { jti: 'another' } }))
    expect((await callTool(url(), external.token({ header: { kid: 'unknown' } }), 'read_note')).status).toBe(401)
    await external.issuer.up()
  })
})

describe('a token that only the issuer can read', () => {
  const put = (token: string, more: object = {}) =>
    external.opaque.set(token, { active: true, token_type: 'Bearer', ...external.claims(), ...more })

  it('is asked about, and asked about again when its answer is old', async () => {
    put('opaque-of-ann', { groups: ['writers'] })
    expect(await toolsOf('opaque-of-ann')).toEqual(['read_note', 'write_note'])
    external.opaque.set('opaque-of-ann', { active: false })
    external.range.gateway.clock.advance('31s')
    await external.expectRefused('opaque-of-ann', 'inactive')
  })

  it('is 503 with the time to try again while the issuer is down, and never let in', async () => {
    put('opaque-of-bob')
    await external.issuer.down()
    const before = external.range.canary.requests.length
    const { status, headers, body } = await callTool(url(), 'opaque-of-bob', 'read_note')
    expect([status, headers.get('retry-after'), headers.get('www-authenticate')]).toEqual([503, '5', null])
    expect(body).toEqual({
      error: 'Service Unavailable',
      message: 'The gate cannot check this token now. Try again shortly.',
    })
    expect(external.range.canary.requests.length).toBe(before)
    await external.issuer.up()
    expect((await callTool(url(), 'opaque-of-bob', 'read_note')).status).toBe(200)
  })
})

describe('a gate whose issuer was never there', () => {
  it('starts, serves our own tokens, answers 503 to theirs, and takes them when it is there', async () => {
    const late = await startExternalRange()
    await late.issuer.down()
    const at = late.range.gateway.resource('canary')
    expect((await callTool(at, late.range.token, 'read_note')).status).toBe(200)
    const refused = await callTool(at, late.token(), 'read_note')
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, true])
    await late.issuer.up()
    late.range.gateway.clock.advance('30s')
    await late.expectTaken(late.token())
    await late.close()
  })
})

describe('who somebody is', () => {
  it('is their issuer and its name for them: one name at two issuers is two people', async () => {
    const [first, second] = [await startIssuer(), await startIssuer()]
    const two = await startExternalRange({
      auth: { issuers: [{ issuer: second.issuer }, { issuer: first.issuer }] },
      policy: { rules: [{ allow: ['canary/*'], to: [`user:${second.issuer}|ext-ann`] }] },
    })
    const at = two.range.gateway.resource('canary')
    const claims = { ...two.claims(), email: 'ann@corp.example', email_verified: true }
    const of = (issuer: typeof second) => signedBy(issuer.key, { typ: 'at+jwt' }, { ...claims, iss: issuer.issuer })
    const tools = async (token: string) => {
      const { status, body } = await listTools(at, token)
      return status === 200 ? (body['result'] as { tools: unknown[] }).tools : status
    }
    expect(await tools(of(second))).toHaveLength(3)
    // Whom no rule allows anything there, the server is not there for.
    expect(await tools(of(first))).toBe(404)
    await two.close()
    await first.close()
    await second.close()
  })

  it('is the account that an administrator may disable', async () => {
    const { gateway } = external.range
    const claims = { sub: 'ext-carl' }
    await external.expectTaken(external.token({ claims }))
    const user = { ...(await gateway.addUser({ username: 'carl', password: 'a long enough pass phrase' })) }
    const account = { ...user, id: 'usr_carl', issuer: external.issuer.issuer, identity: 'ext-carl', disabled: true }
    await gateway.store.durable.users.upsertByIdentity(account)
    gateway.clock.advance('6s')
    await external.expectRefused(external.token({ claims }), 'account_disabled')
  })
})
