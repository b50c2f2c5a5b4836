// Authorization codes replayed, raced, carried elsewhere and kept too long, security catalogue A14–A17: RFC 6749 §4.1.2 and §4.1.3,
// OAuth 2.1 §4.1.3, RFC 8707 §2.2, RFC 9700 §4.5.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, registerClient, type TestClient, type Tokens } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import {
  codeFor,
  EVIL,
  expectNoSecret,
  expectRefused,
  expectServed,
  GOOD,
  type Grant,
  type OAuthRange,
  postPairs,
  startOAuthRange,
  tokensOf,
} from '../support/oauth-range.ts'
import { type FreshDatabase, freshDatabase } from '../support/postgres.ts'
import { attackTable } from '../support/range.ts'

const SECOND = 'https://good.example/second'
const LOOPBACK = 'http://127.0.0.1:8080/cb'

let range: OAuthRange
let client: TestClient

beforeAll(async () => {
  range = await startOAuthRange()
  client = await registerClient(range.gateway, { redirectUris: [GOOD, SECOND, LOOPBACK] })
})
afterAll(async () => {
  await range?.close()
})

async function expectDead({ canary, resource }: OAuthRange, token: string): Promise<void> {
  const before = canary.requests.length
  const answer = await callTool(resource, token, 'read_note')
  expect({ status: answer.status, upstream: canary.requests.length }).toEqual({ status: 401, upstream: before })
  expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"')
}

const redeem = async ({ code, verifier }: Grant): Promise<Tokens> =>
  tokensOf(range, await client.exchange(code, verifier))

describe('A14: a code redeemed again', () => {
  it('is refused, and what it gave is dead at once; nothing else is', async () => {
    const grant = await codeFor(range, client)
    const { accessToken, refreshToken = '' } = await redeem(grant)
    const bystander = await redeem(await codeFor(range, client))
    // Checked and held as good, a moment before.
    await expectServed(range, accessToken)
    const replay = await expectRefused(range, 'code_replayed', () => client.exchange(grant.code, grant.verifier))
    expect(replay).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    await expectDead(range, accessToken)
    const refresh = await expectRefused(range, 'invalid_grant', () => client.refresh(refreshToken))
    expect(refresh).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    await expectServed(range, bystander.accessToken)
  })

  it('takes the refreshed tokens of its family along', async () => {
    const grant = await codeFor(range, client)
    const first = await redeem(grant)
    const second = tokensOf(range, await client.refresh(first.refreshToken ?? ''))
    await expectServed(range, second.accessToken)
    await expectRefused(range, 'code_replayed', () => client.exchange(grant.code, grant.verifier))
    await expectDead(range, first.accessToken)
    await expectDead(range, second.accessToken)
    await expectRefused(range, 'invalid_grant', () => client.refresh(second.refreshToken ?? ''))
  })

  it('is known through a restart', async () => {
    const grant = await codeFor(range, client)
    const { accessToken } = await redeem(grant)
    await range.gateway.restart()
    await expectServed(range, accessToken)
    await expectRefused(range, 'code_replayed', () => client.exchange(grant.code, grant.verifier))
    await expectDead(range, accessToken)
  })

  it('is told nothing when its time is over too', async () => {
    const grant = await codeFor(range, client)
    const { accessToken } = await redeem(grant)
    range.gateway.clock.advance('61s')
    const late = await expectRefused(range, 'invalid_grant', () => client.exchange(grant.code, grant.verifier))
    expect(late).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    await expectServed(range, accessToken)
  })
})

/** As many at once, in turn to each endpoint. */
function race(of: TestClient, grant: Grant, { racers, endpoints }: { racers: number; endpoints: readonly string[] }) {
  const pairs: readonly (readonly [string, string])[] = [
    ['grant_type', 'authorization_code'],
    ['client_id', of.id],
    ['redirect_uri', GOOD],
    ['code', grant.code],
    ['code_verifier', grant.verifier],
  ]
  return Promise.all(
    Array.from({ length: racers }, (_, at) => postPairs(endpoints[at % endpoints.length] ?? '', pairs)),
  )
}

function expectOneWinner(answers: readonly Answer[]): Answer {
  const outcomes = answers.map(({ status, body }) => (status === 200 ? 'won' : `${status} ${body['error']}`))
  expect(outcomes.filter((outcome) => outcome !== '400 invalid_grant')).toEqual(['won'])
  const winner = answers.find(({ status }) => status === 200)
  if (!winner) throw new TypeError('Nobody won.')
  return winner
}

describe('A15: fifty redemptions at once on SQLite', () => {
  it.each([1, 2, 3])('one wins, and what it won is dead, round %i', async () => {
    const grant = await codeFor(range, client)
    const { answers } = await expectRefused(range, 'code_replayed', async () => {
      const all = await race(client, grant, { racers: 50, endpoints: [client.metadata.token_endpoint] })
      return { status: Math.max(...all.map(({ status }) => status)), answers: all }
    })
    await expectDead(range, tokensOf(range, expectOneWinner(answers)).accessToken)
    await expectServed(range, (await redeem(await codeFor(range, client))).accessToken)
  })
})

describe('A15: redemptions at once on PostgreSQL behind two gateways', () => {
  let database: FreshDatabase
  let shared: OAuthRange
  let replica: TestGateway
  let registered: TestClient

  beforeAll(async () => {
    database = await freshDatabase()
    shared = await startOAuthRange({ storeUrl: database.url })
    // Another process of one installation, as a load balancer sees it: same public URL, same store, another port.
    const { config, clock, url } = shared.gateway
    const { servers } = config
    replica = await startGateway({
      storeUrl: database.url,
      clock,
      server: { url },
      servers: servers.map(({ id }) => ({ id, url: shared.canary.url })),
    })
    registered = await registerClient(shared.gateway, { redirectUris: [GOOD] })
  })
  afterAll(async () => {
    await replica?.close()
    await shared?.close()
    await database?.drop()
  })

  const ports = () => [shared.gateway.port, replica.port]

  // Two are a thief and a victim; fifty are a thief who tries harder.
  it.each([50, 50, 50, 2, 2, 2, 2, 2, 2, 2, 2])(
    'of %i one wins, and what it won is dead everywhere',
    async (racers) => {
      const grant = await codeFor(shared, registered)
      const endpoints = ports().map((port) => `http://127.0.0.1:${port}/oauth/token`)
      const { answers } = await expectRefused(shared, 'code_replayed', async () => {
        const all = await race(registered, grant, { racers, endpoints })
        return { status: Math.max(...all.map(({ status }) => status)), answers: all }
      })
      const { accessToken } = tokensOf(shared, expectOneWinner(answers))
      for (const port of ports()) {
        const url = `http://127.0.0.1:${port}/servers/canary/mcp`
        // The replica that did not see the replay hears of it at its next poll.
        await expect.poll(async () => (await callTool(url, accessToken, 'read_note')).status).toBe(401)
      }
    },
  )

  it('a code that is redeemed once, on the other gateway, is good on both', async () => {
    const { code, verifier } = await codeFor(shared, registered)
    const [answer] = await race(
      registered,
      { code, verifier },
      { racers: 1, endpoints: [`http://127.0.0.1:${replica.port}/oauth/token`] },
    )
    const { accessToken } = tokensOf(shared, answer ?? expect.fail('No answer.'))
    for (const port of ports()) {
      const url = `http://127.0.0.1:${port}/servers/canary/mcp`
      expect((await callTool(url, accessToken, 'read_note')).status).toBe(200)
    }
    await expectNoSecret(shared)
  })
})

const CARRIED = [
  { id: 'another redirect URI of the client', bend: { redirect_uri: SECOND }, error: 'invalid_grant' },
  { id: 'a redirect URI of nobody', bend: { redirect_uri: EVIL }, error: 'invalid_grant' },
  { id: 'another spelling of the redirect URI', bend: { redirect_uri: `${GOOD}/` }, error: 'invalid_grant' },
  { id: 'no redirect URI', bend: { redirect_uri: undefined }, error: 'invalid_request' },
  { id: 'an empty redirect URI', bend: { redirect_uri: '' }, error: 'invalid_request' },
  { id: 'another resource of ours', bend: { resource: 'other' }, error: 'invalid_target' },
  { id: 'a resource of nobody', bend: { resource: EVIL }, error: 'invalid_target' },
  { id: 'another spelling of the resource', bend: { resource: 'slash' }, error: 'invalid_target' },
  { id: 'no client', bend: { client_id: undefined }, error: 'invalid_request' },
  { id: 'an unknown client', bend: { client_id: 'nobody' }, error: 'invalid_client' },
] as const

attackTable('A16: a code carried elsewhere', CARRIED, async ({ bend, error }) => {
  const grant = await codeFor(range, client)
  const resources: Readonly<Record<string, string>> = {
    other: range.gateway.resource('other'),
    slash: `${range.resource}/`,
  }
  const resource = 'resource' in bend ? { resource: resources[bend.resource] ?? bend.resource } : {}
  const answer = await expectRefused(range, error, () =>
    client.exchange(grant.code, grant.verifier, { ...bend, ...resource }),
  )
  expect(answer.body['error']).toBe(error)
  expect([400, 401]).toContain(answer.status)
  // Nothing was spent: the code is still its owner's.
  const answered = await client.exchange(grant.code, grant.verifier, { resource: range.resource })
  await expectServed(range, tokensOf(range, answered).accessToken)
})

describe('A16: a code of another client', () => {
  it.each([
    { kind: 'a public', method: 'none' },
    { kind: 'a confidential', method: 'client_secret_post' },
  ])('is worth nothing to $kind one, and stays its owner’s', async ({ method }) => {
    const thief = await registerClient(range.gateway, {
      redirectUris: [GOOD],
      metadata: { token_endpoint_auth_method: method },
    })
    const secret = thief.registration['client_secret']
    const proof = typeof secret === 'string' ? { client_secret: secret } : {}
    const grant = await codeFor(range, client)
    const stolen = await expectRefused(range, 'invalid_grant', () => thief.exchange(grant.code, grant.verifier, proof))
    expect(stolen).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    const { accessToken } = await redeem(grant)
    // Nor can the thief end what the owner has.
    await expectRefused(range, 'invalid_grant', () => thief.exchange(grant.code, grant.verifier, proof))
    await expectServed(range, accessToken)
  })

  it('on loopback is bound to the port it was asked for', async () => {
    const grant = await codeFor(range, client, { redirect_uri: 'http://127.0.0.1:9001/cb' })
    const redirect = (port: number) => ({ redirect_uri: `http://127.0.0.1:${port}/cb` })
    const answer = await expectRefused(range, 'invalid_grant', () =>
      client.exchange(grant.code, grant.verifier, redirect(9002)),
    )
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    const answered = await client.exchange(grant.code, grant.verifier, redirect(9001))
    await expectServed(range, tokensOf(range, answered).accessToken)
  })

  it('says in its token which resource it was for', async () => {
    const grant = await codeFor(range, client, { resource: range.gateway.resource('other') })
    const { accessToken } = await redeem(grant)
    await expectDead(range, accessToken)
    expect((await callTool(range.gateway.resource('other'), accessToken, 'read_note')).status).toBe(200)
  })
})

describe('A17: a stale code', () => {
  it.each(['61s', '2m', '1h', '40d'])('is refused after %s', async (age) => {
    const grant = await codeFor(range, client)
    range.gateway.clock.advance(age)
    const answer = await expectRefused(range, 'invalid_grant', () => client.exchange(grant.code, grant.verifier))
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  })

  it('is good until then', async () => {
    const grant = await codeFor(range, client)
    range.gateway.clock.advance('55s')
    await expectServed(range, (await redeem(grant)).accessToken)
  })
})
