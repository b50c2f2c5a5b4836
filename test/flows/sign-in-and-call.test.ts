// The first journey: a person, a client that knows only the server's URL, and a tool that answers. Both wire eras.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ActEvent, CallEvent } from '../../src/audit/event.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { listTools } from '../support/mcp.ts'
import { createSdkHost, type Mode } from '../support/sdk.ts'

let fixture: Fixture
let gateway: TestGateway

beforeAll(async () => {
  fixture = await startFixture()
  gateway = await startGateway({
    servers: [{ id: 'fixture', url: fixture.url }],
    policy: {
      rules: [
        {
          id: 'engineers',
          allow: ['fixture/*', 'prompt:fixture/*', 'resource:fixture/*', 'method:fixture/*'],
          to: ['group:engineering'],
        },
        { id: 'finance', allow: ['fixture/test_simple_text'], to: ['group:finance'] },
        { id: 'no-images', deny: ['fixture/test_image_content'], to: ['*'] },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await fixture?.close()
})

const MODES: readonly { name: string; mode: Mode; era: string }[] = [
  { name: 'the handshake era', mode: 'legacy', era: 'legacy' },
  { name: 'negotiated', mode: 'auto', era: 'modern' },
  { name: 'MCP 2026-07-28 and nothing else', mode: { pin: '2026-07-28' }, era: 'modern' },
]

describe.each(MODES)('the official client, $name', ({ mode, era }) => {
  it('signs in once, lists what policy shows and calls a tool', async () => {
    const host = createSdkHost(await gateway.person())
    const client = await host.connect(gateway.resource('fixture'), mode)
    expect(client.getProtocolEra()).toBe(era)
    const names = (await client.listTools()).tools.map((tool) => tool.name)
    expect(names).toContain('test_simple_text')
    expect(names).not.toContain('test_image_content')
    const result = await client.callTool({ name: 'test_simple_text', arguments: {} })
    expect(result.isError ?? false).toBe(false)
    expect(JSON.stringify(result.content)).toContain('"text"')
    await client.close()

    const again = await host.connect(gateway.resource('fixture'), mode)
    expect((await again.listTools()).tools.length).toBe(names.length)
    await again.close()
    expect(host.signIns).toBe(1)
  })

  it.each([
    { person: 'ann', why: 'one rule denies it' },
    { person: 'bob', why: 'no rule allows it' },
  ])(
    'gets for a tool that is hidden from $person, since $why, what it gets for one that does not exist',
    async ({ person }) => {
      const client = await createSdkHost(await gateway.person(person)).connect(gateway.resource('fixture'), mode)
      const outcome = (name: string) =>
        client.callTool({ name, arguments: {} }).then(
          (result) => JSON.stringify(result).replaceAll(name, 'NAME'),
          (error: unknown) => String(error).replaceAll(name, 'NAME'),
        )
      expect(await outcome('test_image_content')).toBe(await outcome('test_nothing_like_it'))
      expect(await outcome('test_simple_text')).toContain('"content"')
      await client.close()
    },
  )
})

describe('the record of it', () => {
  it('says who called what, by which rule, and how it ended', async () => {
    await gateway.restart()
    const host = createSdkHost(await gateway.person())
    const client = await host.connect(gateway.resource('fixture'), { pin: '2026-07-28' })
    await client.callTool({ name: 'test_simple_text', arguments: {} })
    await client.close()
    const isCall = (event: CallEvent | ActEvent) =>
      event.kind === 'call' && event.email === 'ann@example.com' && event.name === 'test_simple_text'
    const events = await gateway.audit((all) => all.some((event) => isCall(event) && 'outcome' in event))
    expect(events.findLast(isCall)).toMatchObject({
      server: 'fixture',
      method: 'tools/call',
      decision: 'allow',
      rule: 'engineers',
      outcome: 'answered',
      status: 200,
    })
    expect(events.some((event) => event.kind === 'act' && event.act === 'consent' && event.decision === 'allow')).toBe(
      true,
    )
    expect(JSON.stringify(events)).not.toContain(host.tokens?.access_token)
  })
})

describe('a person whom no rule names', () => {
  const STRANGER = { username: 'stranger', password: 'four silent trains at dawn', groups: ['visitors'] }

  it('signs in, and finds the server unknown', async () => {
    const token = await gateway.tokenFor('fixture', { user: STRANGER })
    const refused = await listTools(gateway.resource('fixture'), token)
    const unknown = await listTools(gateway.resource('no-such-server'), token)
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([unknown.status, JSON.stringify(unknown.body)])
    const allowed = await listTools(gateway.resource('fixture'), await gateway.tokenFor('fixture'))
    expect(allowed.status).toBe(200)
  })
})
