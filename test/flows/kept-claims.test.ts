// What the company's identity provider says of people beyond groups and roles: kept at the sign-in, read by rules, renewed at the next.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Idp, type IdpUser, startIdp } from '../support/idp.ts'
import { listTools } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'

const account = (username: string, claims: object): IdpUser => ({
  sub: `${username}-at-the-company`,
  username,
  password: 'any will do there',
  email: `${username}@corp.example`,
  email_verified: true,
  ...claims,
})
const CARA = account('cara', { department: 'ops', org: { unit: 'north', tenant: 'acme', secret: 'not kept' } })
const DAN = account('dan', { department: 'sales', org: { unit: 'south' } })
const EVE = account('eve', { department: 'ops\u0000' })
const CLIENT = { client_id: 'portcullis', client_secret: 'only-between-the-two-of-them' }
const CLIENTS = [{ ...CLIENT, redirect_uris: ['http://127.0.0.1/callback/corp'] }]

let fixture: Fixture
let idp: Idp
let gateway: TestGateway

beforeAll(async () => {
  fixture = await startFixture()
  idp = await startIdp({ users: [CARA, DAN, EVE], clients: CLIENTS })
  const [clientId, clientSecret] = [CLIENT.client_id, CLIENT.client_secret]
  gateway = await startGateway({
    servers: [{ id: 'fixture', url: fixture.url }],
    identity: {
      providers: [{ id: 'corp', type: 'oidc', title: 'Corp', issuer: idp.issuer, clientId, clientSecret }],
      claims: ['org.unit'],
      mapping: { organisation: 'org.tenant' },
    },
    policy: {
      rules: [
        { id: 'operators', allow: ['fixture/test_simple_text'], to: ['claim:department=ops'] },
        {
          id: 'north',
          allow: ['fixture/test_error_handling'],
          to: ['*'],
          when: "has(principal.claims.org) && principal.claims.org.unit == 'north'",
        },
        {
          id: 'acme',
          allow: ['fixture/test_image_content'],
          to: ['*'],
          when: "has(principal.claims.organisation) && principal.claims.organisation == 'acme'",
        },
        { id: 'all', allow: ['fixture/test_audio_content'], to: ['*'] },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await idp?.stop()
  await fixture?.close()
})

const signIn = async (user: IdpUser) =>
  gateway.tokenFor('fixture', {
    user: createPerson({ username: String(user.username), password: 'any will do there', provider: /corp/i }),
  })
const toolsOf = async (token: string) => {
  const { body } = await listTools(gateway.resource('fixture'), token)
  return (body['result'] as { tools: { name: string }[] }).tools.map(({ name }) => name).sort()
}
const storedOf = (user: IdpUser) => gateway.store.durable.users.findByIdentity(idp.issuer, user.sub)

const ALL = ['test_audio_content', 'test_error_handling', 'test_image_content', 'test_simple_text']

describe('claims of people who sign in', () => {
  it('are what rules and conditions read; what is not listed and not named is not kept', async () => {
    expect(await toolsOf(await signIn(CARA))).toEqual(ALL)
    expect(await toolsOf(await signIn(DAN))).toEqual(['test_audio_content'])
    expect((await storedOf(CARA))?.claims).toEqual({
      department: 'ops',
      org: { unit: 'north' },
      organisation: 'acme',
    })
    expect((await storedOf(DAN))?.claims).toEqual({ department: 'sales', org: { unit: 'south' } })
  })

  it('that cannot be kept whole refuse the sign-in, and leave no account', async () => {
    await expect(signIn(EVE)).rejects.toThrow()
    expect(await storedOf(EVE)).toBeUndefined()
    const events = await gateway.audit((all) => all.some(({ reason }) => reason === 'claim_malformed'))
    expect(events.some((event) => event.kind === 'act' && event.reason === 'claim_malformed')).toBe(true)
  })

  it('are renewed at the next sign-in, and then count for the tokens that were there before', async () => {
    const before = await signIn(CARA)
    await idp.stop()
    idp = await startIdp({ users: [{ ...CARA, department: 'sales', org: {} }], clients: CLIENTS, port: idp.port })
    expect(await toolsOf(before)).toEqual(ALL)
    await signIn(CARA)
    expect((await storedOf(CARA))?.claims).toEqual({ department: 'sales' })
    gateway.clock.advance('6s')
    expect(await toolsOf(before)).toEqual(['test_audio_content'])
  })

  it('none of it goes to the server', async () => {
    const events = await gateway.audit()
    expect(JSON.stringify(events)).not.toContain('not kept')
  })
})
