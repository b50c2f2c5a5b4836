// Signing in at the company's identity provider, which runs as a process of its own: consent first, then the provider,
// then back; the groups it names are what policy reads.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient } from '../support/client.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Idp, startIdp } from '../support/idp.ts'
import { createPerson } from '../support/person.ts'
import { createSdkHost } from '../support/sdk.ts'

const account = (username: string, host: string, groups: readonly string[]) => ({
  sub: `${username}-at-the-company`,
  username,
  password: 'any will do there',
  email: `${username}@${host}`,
  email_verified: true,
  groups,
})
const CARA = account('cara', 'corp.example', ['data'])
const DAN = account('dan', 'corp.example', ['sales'])
const EVE = account('eve', 'other.example', ['data'])
const CLIENT = { client_id: 'portcullis', client_secret: 'only-between-the-two-of-them' }

let fixture: Fixture
let idp: Idp
let gateway: TestGateway

beforeAll(async () => {
  fixture = await startFixture()
  idp = await startIdp({
    users: [CARA, DAN, EVE],
    clients: [{ ...CLIENT, redirect_uris: ['http://127.0.0.1/callback/corp'] }],
  })
  gateway = await startGateway({
    servers: [{ id: 'fixture', url: fixture.url }],
    identity: {
      providers: [
        {
          id: 'corp',
          type: 'oidc',
          title: 'Corp',
          issuer: idp.issuer,
          clientId: CLIENT.client_id,
          clientSecret: CLIENT.client_secret,
        },
      ],
      allowedEmails: ['*@corp.example'],
    },
    policy: {
      rules: [
        { id: 'data-people', allow: ['fixture/*'], to: ['group:data'] },
        { id: 'sales-people', allow: ['fixture/test_simple_text'], to: ['group:sales'] },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await idp?.stop()
  await fixture?.close()
})

const browserOf = (user: typeof CARA) => createPerson({ ...user, provider: /corp/i })

async function toolsOf(user: typeof CARA): Promise<string[]> {
  const client = await createSdkHost(browserOf(user)).connect(gateway.resource('fixture'), 'auto')
  const { tools } = await client.listTools()
  await client.close()
  return tools.map((tool) => tool.name)
}

describe('a sign-in at the identity provider', () => {
  it('gives everyone what their groups may see', async () => {
    const [data, sales] = [await toolsOf(CARA), await toolsOf(DAN)]
    expect(data.length).toBeGreaterThan(3)
    expect(sales).toEqual(['test_simple_text'])
  })

  it('comes after consent: nobody is sent to the provider before saying yes', async () => {
    const client = await registerClient(gateway)
    const { url } = client.authorize({ resource: gateway.resource('fixture'), scope: 'mcp:tools' })
    const person = browserOf(CARA)
    const first = await person.open(url)
    expect(new URL(first.url).origin).toBe(new URL(gateway.url).origin)
    expect(first.html).toContain('127.0.0.1:33418')
    const refused = await browserOf(CARA).refuse(url)
    expect(new URL(refused.location ?? '').searchParams.get('error')).toBe('access_denied')
  })

  it('is recorded with the verified address', async () => {
    await toolsOf(CARA)
    const events = await gateway.audit()
    expect(events.filter((event) => event.kind === 'act' && event.act === 'sign_in')).toContainEqual(
      expect.objectContaining({ email: CARA.email, decision: 'allow' }),
    )
  })

  it('is refused to an address outside the company, and says so to the person', async () => {
    const client = await registerClient(gateway)
    const { url } = client.authorize({ resource: gateway.resource('fixture'), scope: 'mcp:tools' })
    const visit = await browserOf(EVE).follow(url)
    expect(visit.location === undefined ? undefined : new URL(visit.location).searchParams.get('code')).toBeFalsy()
    const events = await gateway.audit((all) =>
      all.some((event) => event.kind === 'act' && event.act === 'sign_in_refused'),
    )
    expect(
      events.some((event) => event.kind === 'act' && event.act === 'sign_in_refused' && event.decision === 'deny'),
    ).toBe(true)
  })
})
