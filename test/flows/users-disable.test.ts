// Somebody leaves: `portcullis users disable` beside a running gate closes every door to them, and what they have open ends.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCommand, type Served, serve } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { ANN, BOB } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'

let fixture: Fixture
let served: Served
const cli = (...words: string[]) =>
  runCommand([...words, '--config', served.configFile], { cwd: served.folder, input: 'a-long-passphrase-of-cleo' })

beforeAll(async () => {
  fixture = await startFixture()
  served = await serve(
    {
      servers: [{ id: 'fixture', url: fixture.url }],
      policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
    },
    [ANN, BOB],
  )
})
afterAll(async () => {
  await served?.close()
  await fixture?.close()
})

it('ends their tokens, API tokens and streams, and nobody else’s, until the account is enabled again', async () => {
  const resource = `${served.url}/servers/fixture/mcp`
  const client = await registerClient(served)
  const signIn = (person: typeof ANN) =>
    client.signIn(createPerson(person), { resource, scope: 'mcp:tools offline_access' })
  const [ann, bob] = [await signIn(ANN), await signIn(BOB)]
  const apiToken = (await cli('tokens', 'create', 'nightly', '--user', ANN.username)).stdout.trim()
  const status = async (token: string) => (await callTool(resource, token, 'test_simple_text')).status
  const stream = await fetch(`${served.url}/servers/fixture/sse`, {
    headers: { Authorization: `Bearer ${ann.accessToken}` },
  })
  expect([stream.status, await status(ann.accessToken), await status(apiToken)]).toEqual([200, 200, 200])

  const disabled = await cli('users', 'disable', ANN.username)
  expect(disabled).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Disabled ann \(/) })
  expect(JSON.parse(disabled.stdout)).toMatchObject({ act: 'user_disabled', by: 'operator', reason: 'by_operator' })
  // Read to its end: a stream that stays open holds this test up.
  expect(await stream.text()).toContain('event: endpoint')
  await expect.poll(() => status(ann.accessToken)).toBe(401)
  await expect.poll(() => status(apiToken)).toBe(401)
  expect((await client.refresh(ann.refreshToken ?? '')).status).toBe(400)
  await expect(signIn(ANN)).rejects.toThrow()
  expect(await status(bob.accessToken)).toBe(200)

  expect(await cli('users', 'enable', ANN.username)).toMatchObject({ code: 0 })
  await expect.poll(() => status(apiToken)).toBe(200)
  expect(await status((await signIn(ANN)).accessToken)).toBe(200)
})

it('finds an account by its address as well, and says when there is none', async () => {
  const found = await cli('users', 'enable', 'Bob@example.com')
  expect(found).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Enabled bob \(/) })
  const unknown = await cli('users', 'disable', 'nobody@example.com')
  expect(unknown.code).not.toBe(0)
  expect(unknown.stderr).toMatch(/^nobody@example\.com: there is no account/)
})
