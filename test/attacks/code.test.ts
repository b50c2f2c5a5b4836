// Authorization codes replayed, raced, carried elsewhere and kept too long, security catalogue A14–A17: RFC 6749 §4.1.2 and §4.1.3,
// OAuth 2.1 §4.1.3, RFC 8707 §2.2, RFC 9700 §4.5.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, registerClient, type TestClient, type Tokens } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import {
  codeFor,
  expectNoSecret,
  expectRefused,
  expectServed,
  type Grant,
  GOOD,
  type OAuthRange,
  postPairs,
  startOAuthRange,
  tokensOf,
} from '../support/oauth-range.ts'
import { freshDatabase } from '../support/postgres.ts'
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

async function expectDead(token: string): Promise<void> {
  const before = range.canary.requests.length
  const answer = await callTool(range.resource, token, 'read_note')
  expect({ status: answer.status, before: range.canary.requests.length }).toEqual({ status: 401, before })
  expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"')
}

const redeem = async ({ code, verifier }: Grant): Promise<Tokens> =>
  tokensOf(range, await client.exchange(code, verifier))

const REPLAYS = [
  { id: 'exactly as before', bend: {} },
  { id: 'with another verifier', bend: { code_verifier: 'a'.repeat(43) } },
  { id: 'with another redirect URI', bend: { redirect_uri: SECOND } },
  { id: 'without a resource named', bend: { resource: undefined } },
] as const

describe('A14: a code redeemed again', () => {
  attackTable('A14: is refused, and what it gave before is dead at once', REPLAYS.slice(0, 1), async ({ bend }) => {
    const grant = await codeFor(range, client)
    const { accessToken, refreshToken = '' } = await redeem(grant)
    // Checked and cached as good, a moment before.
    await expectServed(range, accessToken)
    const replay = await expectRefused(range, 'code_replayed', () => client.exchange(grant.code, grant.verifier, bend))
    expect(replay).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    await expectDead(accessToken)
    const refresh = await expectRefused(range, 'invalid_grant', () => client.refresh(refreshToken))
    expect(refresh).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    // Theft of one authorization is not the end of another.
    const { accessToken: other } = await redeem(await codeFor(range, client))
    await expectServed(range, other)
  })

  attackTable('A14: is refused in every other form too', REPLAYS.slice(1), async ({ bend }) => {
    const grant = await codeFor(range, client)
    const { accessToken } = await redeem(grant)
    await expectServed(range, accessToken)
    const replay = await expectRefused(range, 'invalid_grant', () => client.exchange(grant.code, grant.verifier, bend))
    expect(replay).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  })

  it('takes the refreshed tokens of its family along', async () => {
    const grant = await codeFor(range, client)
    const first = await redeem(grant)
    const second = tokensOf(range, await client.refresh(first.refreshToken ?? ''))
    await expectServed(range, second.accessToken)
    await expectRefused(range, 'code_replayed', () => client.exchange(grant.code, grant.verifier))
    await expectDead(first.accessToken)
    await expectDead(second.accessToken)
    await expectRefused(range, 'invalid_grant', () => client.refresh(second.refreshToken ?? ''))
  })

  it('is remembered through a restart', async () => {
    const grant = await codeFor(range, client)
    const { accessToken } = await redeem(grant)
    await range.gateway.restart()
    await expectServed(range, accessToken)
    await expectRefused(range, 'code_replayed', () => client.exchange(grant.code, grant.verifier))
    await expectDead(accessToken)
  })

  it('is refused after its tokens were refreshed away and its own time is over', async () => {
    const grant = await codeFor(range, client)
    await redeem(grant)
    range.gateway.clock.advance('61s')
    const late = await expectRefused(range, 'invalid_grant', () => client.exchange(grant.code, grant.verifier))
    expect(late).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  })
})

const RACERS = 50

/** Fifty at once, in turn to each endpoint. */
const race = (grant: Grant, endpoints: readonly string[]): Promise<Answer[]> =>
  Promise.all(
    Array.from({ length: RACERS }, (_, at) =>
      postPairs(endpoints[at % endpoints.length] ?? '', [
        ['grant_type', 'authorization_code'],
        ['client_id', client.id],
        ['redirect_uri', GOOD],
        ['code', grant.code],
        ['code_verifier', grant.verifier],
      ]),
    ),
  )

function expectOneWinner(answers: readonly Answer[]): Answer {
  const outcomes = answers.map(({ status, body }) => (status === 200 ? 'won' : `${status} ${body['error']}`))
  expect(outcomes.filter((outcome) => outcome === 'won').length).toBe(1)
  expect(outcomes.filter((outcome) => outcome === '400 invalid_grant').length).toBe(RACERS - 1)
  const winner = answers.find(({ status }) => status === 200)
  if (!winner) throw new TypeError('Nobody won.')
  return winner
}

describe('A15: fifty redemptions at once', () => {
  it.each([1, 2, 3])('on SQLite, one wins, and what it won is dead, round %i', async () => {
    const grant = await codeFor(range, client)
    const answers = await expectRefused(range, 'code_replayed', async () => {
      const all = await race(grant, [client.metadata.token_endpoint])
      return { status: Math.max(...all.map(({ status }) => status)), all }
    })
    const winner = tokensOf(range, expectOneWinner(answers.all))
    await expectDead(winner.accessToken)
    const alone = await redeem(await codeFor(range, client))
    await expectServed(range, alone.accessToken)
  })

  it('on PostgreSQL behind two gateways, one wins', async () => {
    const database = await freshDatabase()
    const shared = await startOAuthRange({ storeUrl: database.url })
    const replica = await startReplica(shared, database.url)
    try {
      await raceOnTwo(shared, replica)
    } finally {
      await replica.close()
      await shared.close()
      await database.drop()
    }
  })

  /** Another process of the same installation, as a load balancer sees it: same public URL, same store, another port. */
  const startReplica = (shared: OAuthRange, storeUrl: string): Promise<TestGateway> =>
    startGateway({
      storeUrl,
      clock: shared.gateway.clock,
      server: { url: shared.gateway.url },
      servers: [
        { id: 'canary', url: shared.canary.url },
        { id: 'other', url: shared.canary.url },
      ],
    })

  async function raceOnTwo(shared: OAuthRange, replica: TestGateway): Promise<void> {
    const registered = await registerClient(shared.gateway, { redirectUris: [GOOD] })
    const endpoints = [shared.gateway.port, replica.port].map((port) => `http://127.0.0.1:${port}/oauth/token`)
    for (let round = 0; round < 5; round++) {
      const grant = await codeFor(shared, registered)
      const answers = await raceOf(registered, grant, endpoints)
      const winner = tokensOf(shared, expectOneWinner(answers))
      // The replica that was told of the replay revokes; the other one hears of it at its next poll.
      await expectDeadEverywhere(winner.accessToken, shared, replica)
      const { code, verifier } = await codeFor(shared, registered)
      await expectServed(shared, tokensOf(shared, await registered.exchange(code, verifier)).accessToken)
    }
    await expectNoSecret(shared)
  }
})

const raceOf = (of: TestClient, grant: Grant, endpoints: readonly string[]): Promise<Answer[]> =>
  Promise.all(
    Array.from({ length: RACERS }, (_, at) =>
      postPairs(endpoints[at % endpoints.length] ?? '', [
        ['grant_type', 'authorization_code'],
        ['client_id', of.id],
        ['redirect_uri', GOOD],
        ['code', grant.code],
        ['code_verifier', grant.verifier],
      ]),
    ),
  )

async function expectDeadEverywhere(token: string, shared: OAuthRange, replica: TestGateway): Promise<void> {
  for (const port of [shared.gateway.port, replica.port]) {
    const url = `http://127.0.0.1:${port}/servers/canary/mcp`
    await expect.poll(async () => (await callTool(url, token, 'read_note')).status, { timeout: 6_000 }).toBe(401)
  }
}
