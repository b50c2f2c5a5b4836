// What a server asks in the middle of a call reaches the client whose call it is, in the client's own era: sampling, elicitation and roots,
// from servers of the handshake era and of 2026-07-28, for the official client in both.
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Able, type AskedHost, connectAsked, type Says, textOf } from '../support/asked.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { type OneEraServer, startHandshakeOnly, startModernOnly } from '../support/one-era.ts'
import type { Mode } from '../support/sdk.ts'
import { startEverything, type TestUpstream } from '../support/upstream.ts'

const EVERYTHING = join(import.meta.dirname, '../../node_modules/@modelcontextprotocol/server-everything/dist/index.js')
const MODERN: Mode = { pin: '2026-07-28' }

let everything: TestUpstream
let [handshake, modern]: (OneEraServer | undefined)[] = []
let gateway: TestGateway
beforeAll(async () => {
  ;[everything, handshake, modern] = await Promise.all([startEverything(), startHandshakeOnly(), startModernOnly()])
  gateway = await startGateway({
    servers: [
      { id: 'old', url: everything.url },
      { id: 'fixture', url: handshake.url },
      { id: 'new', url: modern.url },
      { id: 'child', command: [process.execPath, EVERYTHING, 'stdio'], instances: 'per-principal', lists: 'personal' },
    ],
    policy: { rules: [{ allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
    oauth: { registration: { perAddress: 1000, total: 1000 } },
  })
})
afterAll(async () => {
  await gateway?.close()
  await everything?.stop()
  await handshake?.close()
  await modern?.close()
})

const hosts: AskedHost[] = []
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close()
})

/** At the address of all servers, and at the server's own; a person each, since a server remembers what it asked in a session. */
const PLACES = [
  {
    user: ANN,
    place: '/mcp',
    url: () => `${gateway.url}/mcp`,
    resource: '*',
    prefix: (server: string) => `${server}__`,
  },
  {
    user: BOB,
    place: '/servers/{id}/mcp',
    url: (server: string) => gateway.resource(server),
    resource: undefined,
    prefix: () => '',
  },
] as const

async function callOf(
  at: (typeof PLACES)[number],
  [server, tool, args = {}]: readonly [string, string, Record<string, unknown>?],
  options: { mode: Mode; able?: Able; says?: Says; onprogress?: (progress: unknown) => void },
) {
  const token = await gateway.tokenFor(at.resource ?? server, { user: await gateway.person(at.user.username) })
  const host = await connectAsked(at.url(server), token, options.mode, options)
  hosts.push(host)
  const name = at.prefix(server) + tool
  const { onprogress } = options
  const result = await host.client.callTool({ name, arguments: args }, onprogress && { onprogress })
  return { text: textOf(result), result, asked: host.asked }
}

/** This server, server-everything, asks for folders besides whenever it likes. */
const methodsOf = (asked: readonly { readonly method: string }[]): string[] =>
  asked.map(({ method }) => method).filter((method) => method !== 'roots/list')

describe.each(PLACES)('a modern client at $place, a server of the handshake era', (at) => {
  it('answers a form', async () => {
    const { text, asked } = await callOf(at, ['old', 'trigger-elicitation-request'], {
      mode: MODERN,
      says: { content: { name: 'Ann Example', check: true } },
    })
    expect(methodsOf(asked)).toEqual(['elicitation/create'])
    expect(asked.find(({ method }) => method === 'elicitation/create')?.params).toMatchObject({
      message: 'Please provide inputs for the following fields:',
    })
    expect(text).toContain('Ann Example')
  })

  it('declines a form', async () => {
    const { text } = await callOf(at, ['old', 'trigger-elicitation-request'], {
      mode: MODERN,
      says: { action: 'decline' },
    })
    expect(text).toContain('declined')
  })

  it('is shown a link', async () => {
    const link = 'https://example.com/consent'
    const { text, asked } = await callOf(
      at,
      ['old', 'trigger-url-elicitation', { url: link, message: 'Look there.' }],
      {
        mode: MODERN,
      },
    )
    // This server asks for folders whenever it likes.
    const shown = asked.filter(({ method }) => method === 'elicitation/create').map(({ params }) => params)
    expect(shown).toEqual([expect.objectContaining({ mode: 'url', url: link })])
    expect(text).toContain('User completed the URL elicitation flow')
  })

  it('lends its model', async () => {
    const { text, asked } = await callOf(at, ['old', 'trigger-sampling-request', { prompt: 'Capital of France?' }], {
      mode: MODERN,
    })
    // This server asks for folders whenever it likes.
    const lent = asked.filter(({ method }) => method !== 'roots/list')
    expect(lent.map(({ method }) => method)).toEqual(['sampling/createMessage'])
    expect(JSON.stringify(lent[0]?.params)).toContain('Capital of France?')
    expect(text).toContain('Paris')
  })

  it('names its folders, which this server asks for outside of the call', async () => {
    const { text, asked } = await callOf(at, ['old', 'get-roots-list'], { mode: MODERN })
    // Once a session, and so perhaps in a call before this one.
    expect(asked.filter(({ method }) => method !== 'roots/list')).toEqual([])
    expect(text).toContain('file:///home/ann/notes')
  })

  it('is not asked what it did not declare', async () => {
    const able = { roots: {} }
    const { asked, text, result } = await callOf(at, ['fixture', 'test_sampling', { prompt: 'x' }], {
      mode: MODERN,
      able,
    })
    expect(asked).toEqual([])
    expect(result.isError).toBe(true)
    expect(text).toContain('sampling/createMessage')
  })

  it('answers three things that are asked at once, and then some more', async () => {
    const { text, asked } = await callOf(at, ['fixture', 'test_input_required_result_multiple_inputs'], {
      mode: MODERN,
    })
    expect(asked.map(({ method }) => method).sort()).toEqual([
      'elicitation/create',
      'roots/list',
      'sampling/createMessage',
    ])
    expect(text).toBe('All three arrived.')
  })
})

describe.each(PLACES)('a client of the handshake era at $place, a server of 2026-07-28', (at) => {
  const mode: Mode = 'legacy'

  it('answers what the server requires, and the call goes on', async () => {
    const { text, asked } = await callOf(at, ['new', 'test_input_required_result_elicitation'], { mode })
    expect(asked.map(({ method }) => method)).toEqual(['elicitation/create'])
    expect(text).toBe('Hello, Ann!')
  })

  it('answers three things at once, and carries no state', async () => {
    const { text, asked } = await callOf(at, ['new', 'test_input_required_result_multiple_inputs'], { mode })
    expect(asked.map(({ method }) => method).sort()).toEqual([
      'elicitation/create',
      'roots/list',
      'sampling/createMessage',
    ])
    expect(text).toBe('All three arrived.')
  })

  it('without the capability is told that the server needs it', async () => {
    const { text, result, asked } = await callOf(at, ['new', 'test_input_required_result_elicitation'], {
      mode,
      able: { roots: {} },
    })
    expect(asked).toEqual([])
    expect(result.isError).toBe(true)
    expect(text).toContain('needs an answer of the user')
  })
})

describe.each(PLACES)('a process of the caller’s own at $place', (at) => {
  it.each<Mode>([MODERN, 'legacy'])('asks a client, %j', async (mode) => {
    const form = await callOf(at, ['child', 'trigger-elicitation-request'], { mode, says: { content: { name: 'Bo' } } })
    expect(methodsOf(form.asked)).toEqual(['elicitation/create'])
    expect(form.text).toContain('Bo')
    const model = await callOf(at, ['child', 'trigger-sampling-request', { prompt: 'Capital?' }], { mode })
    expect(methodsOf(model.asked)).toEqual(['sampling/createMessage'])
    expect(model.text).toContain('Paris')
  })
})

describe('in the middle of a call', () => {
  it('a link that nobody should follow is shown to nobody', async () => {
    const link = 'http://example.com/consent'
    for (const mode of [MODERN, 'legacy'] as const) {
      const args = { url: link, message: 'Look there.' }
      const call = await callOf(PLACES[1], ['child', 'trigger-url-elicitation', args], { mode }).catch(String)
      expect(typeof call === 'string' ? call : call.text).not.toContain('User completed')
      expect(hosts.flatMap(({ asked }) => asked)).toEqual([])
    }
  })

  it('links that a server wants followed first are asked for, and the call is made again', async () => {
    const args = { url: 'https://example.com/then', message: 'Then.', errorPath: true }
    const { text, asked } = await callOf(PLACES[0], ['old', 'trigger-url-elicitation', args], { mode: MODERN })
    expect(asked.map(({ params }) => (params as { url: string }).url)).toEqual([
      'https://modelcontextprotocol.io',
      'https://example.com/then',
    ])
    expect(text).toContain('User completed the URL elicitation flow')
    const says: Says = { action: 'decline' }
    const declined = callOf(PLACES[0], ['old', 'trigger-url-elicitation', { ...args, url: 'https://example.com/x' }], {
      mode: MODERN,
      says,
    })
    // This server takes the second try for one that has done as it was told.
    expect((await declined).text).toContain('declined')
  })

  it('a client over HTTP+SSE of 2024-11-05 is asked as well', async () => {
    const token = await gateway.tokenFor('new')
    const host = await connectAsked(`${gateway.url}/servers/new/sse`, token, 'legacy', { older: true })
    hosts.push(host)
    const result = await host.client.callTool({ name: 'test_input_required_result_elicitation', arguments: {} })
    expect(textOf(result)).toBe('Hello, Ann!')
    expect(host.asked.map(({ method }) => method)).toEqual(['elicitation/create'])
  })

  it('two clients of one person answer their own questions, one person never those of another', async () => {
    const names = ['Ann', 'Bea', 'Cyd', 'Dan']
    const tokens: string[] = []
    for (const name of names)
      tokens.push(await gateway.tokenFor('*', { user: await gateway.person(name.toLowerCase()) }))
    const answers = await Promise.all(
      names.flatMap((name, at) =>
        [MODERN, 'legacy' as const, MODERN].map(async (mode, turn) => {
          const server = mode === 'legacy' ? 'new' : 'fixture'
          const token = tokens[at] ?? ''
          const said = `${name} ${turn}`
          const host = await connectAsked(`${gateway.url}/mcp`, token, mode, { says: { content: { name: said } } })
          hosts.push(host)
          const tool = `${server}__test_input_required_result_elicitation`
          const texts: string[] = []
          for (let call = 0; call < 3; call++)
            texts.push(textOf(await host.client.callTool({ name: tool, arguments: {} })))
          return texts.every((text) => text === `Hello, ${said}!`)
        }),
      ),
    )
    expect(answers).toEqual(answers.map(() => true))
  })

  it('a client of the handshake era that cancels is not waited for, and its question is taken back', async () => {
    const token = await gateway.tokenFor('new')
    const asked = Promise.withResolvers<AbortSignal>()
    const client = new Client(
      { name: 'leaves', version: '1' },
      { versionNegotiation: { mode: 'legacy' }, capabilities: { elicitation: {} } },
    )
    client.setRequestHandler('elicitation/create', (_, { mcpReq }) => {
      asked.resolve(mcpReq.signal)
      return new Promise(() => undefined)
    })
    const headers = { authorization: `Bearer ${token}` }
    await client.connect(
      new StreamableHTTPClientTransport(new URL(gateway.resource('new')), { requestInit: { headers } }),
    )
    const left = new AbortController()
    const call = client.callTool(
      { name: 'test_input_required_result_elicitation', arguments: {} },
      { signal: left.signal },
    )
    const question = await asked.promise
    expect(question.aborted).toBe(false)
    left.abort()
    await expect(call).rejects.toThrow()
    await expect.poll(() => question.aborted).toBe(true)
    await client.close()
  })
})
