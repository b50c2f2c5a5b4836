// Two sign-ins of one client, in one browser and in two: each is a family of its own, and neither ends the other.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseTokens, registerClient, type TestClient, type Tokens } from '../support/client.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { createPerson, type Person } from '../support/person.ts'

let fixture: Fixture
let gateway: TestGateway
let client: TestClient

beforeAll(async () => {
  fixture = await startFixture()
  gateway = await startGateway({ servers: [{ id: 'fixture', url: fixture.url }] })
  client = await registerClient(gateway)
})
afterAll(async () => {
  await gateway?.close()
  await fixture?.close()
})

const signIn = (person: Person): Promise<Tokens> =>
  client.signIn(person, { resource: gateway.resource('fixture'), scope: 'mcp:tools offline_access' })

async function refresh({ refreshToken = '' }: Tokens): Promise<Tokens> {
  return parseTokens(await client.refresh(refreshToken))
}

async function admitted({ accessToken }: Tokens): Promise<boolean> {
  const headers = { authorization: `Bearer ${accessToken}`, accept: 'application/json, text/event-stream' }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })
  const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body }
  const { status } = await fetch(gateway.resource('fixture'), init)
  return status !== 401
}

describe.each([
  { browsers: 'one browser', second: (first: Person) => first },
  { browsers: 'two browsers', second: () => createPerson(ANN) },
])('two sign-ins of one client in $browsers', ({ second }) => {
  it('refresh both, again and again, and stay', async () => {
    const person = await gateway.person()
    let [one, other] = [await signIn(person), await signIn(second(person))]
    expect(one.refreshToken).toBeDefined()
    expect(one.refreshToken).not.toBe(other.refreshToken)
    for (let round = 0; round < 3; round++) {
      one = await refresh(one)
      other = await refresh(other)
    }
    expect([await admitted(one), await admitted(other)]).toEqual([true, true])
  })

  it('end apart: a revoked one leaves the other', async () => {
    const person = await gateway.person()
    const [one, other] = [await signIn(person), await signIn(second(person))]
    expect((await client.revoke(one.refreshToken ?? '')).status).toBe(200)
    expect((await client.refresh(one.refreshToken ?? '')).body).toMatchObject({ error: 'invalid_grant' })
    expect([await admitted(one), await admitted(other)]).toEqual([false, true])
    expect(await admitted(await refresh(other))).toBe(true)
  })

  it('are told apart when one is stolen: reuse ends that family only', async () => {
    const person = await gateway.person()
    const [one, other] = [await signIn(person), await signIn(second(person))]
    const next = await refresh(await refresh(one))
    expect((await client.refresh(one.refreshToken ?? '')).body).toMatchObject({ error: 'invalid_grant' })
    expect((await client.refresh(next.refreshToken ?? '')).body).toMatchObject({ error: 'invalid_grant' })
    expect([await admitted(next), await admitted(other)]).toEqual([false, true])
    expect(await admitted(await refresh(other))).toBe(true)
  })
})
