// `portcullis audit tail` beside a running gate: every decision appears, with who, what and why.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Command, type Served, serve, startCommand } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { ANN } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'

let fixture: Fixture
let served: Served
let tail: Command

beforeAll(async () => {
  fixture = await startFixture()
  served = await serve(
    {
      servers: [{ id: 'fixture', url: fixture.url }],
      policy: { rules: [{ id: 'only-text', allow: ['fixture/test_simple_text'], to: ['group:engineering'] }] },
    },
    [ANN],
  )
  tail = startCommand(['audit', 'tail', '--config', served.configFile], { cwd: served.folder })
})
afterAll(async () => {
  await tail?.stop()
  await served?.close()
  await fixture?.close()
})

it('shows the sign-in, the allowed call and the refused one', async () => {
  const resource = `${served.url}/servers/fixture/mcp`
  const client = await registerClient(served)
  const { accessToken } = await client.signIn(createPerson(ANN), { resource, scope: 'mcp:tools' })
  const allowed = await callTool(resource, accessToken, 'test_simple_text')
  const refused = await callTool(resource, accessToken, 'test_image_content')
  expect(allowed.body).toHaveProperty('result')
  expect(refused.body).not.toHaveProperty('result.content')

  await tail.says(/test_image_content/)
  const line = (text: string) => tail.said.split('\n').find((one) => one.includes(text)) ?? ''
  expect(line('test_simple_text')).toMatch(/allow/i)
  expect(line('test_simple_text')).toContain('only-text')
  expect(line('test_simple_text')).toContain('ann@example.com')
  expect(line('test_image_content')).toMatch(/deny|denied/i)
  expect(line('test_image_content')).toContain('no_rule_allows')
  expect(tail.said).toContain('sign_in')
  expect(tail.said).not.toContain(accessToken)
})
