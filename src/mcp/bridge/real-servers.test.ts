// The bridge before real servers: the official example of the handshake era over HTTP and as a child process, and our fixture on
// the wire of 2026-07-28.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AROUND, stdioConfig } from '../../../test/support/configured.ts'
import { type Fixture, startFixture } from '../../../test/support/fixture-server.ts'
import { freePort, memoryServer, saying, stopProcess } from '../../../test/support/upstream.ts'
import { openChannelUpstream } from '../../upstreams/channel/open.ts'
import type { ChannelUpstream, Upstream } from '../../upstreams/upstream.ts'
import { createBridge } from './call.ts'
import type { ClientHello } from './hello.ts'
import { person, remote } from './servers.support.ts'

const META = 'io.modelcontextprotocol/'
const LEGACY: ClientHello = { revision: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } }
const MODERN: ClientHello = { ...LEGACY, revision: '2026-07-28' }
const PROGRAM = [resolve('node_modules/@modelcontextprotocol/server-everything/dist/index.js')] as const
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined }

const reports: unknown[] = []
const bridge = createBridge({ clock: Date.now, report: (id, outcome) => void reports.push([id, outcome.ok]) })

function child(id: string, command: readonly string[], env: Record<string, string> = {}): ChannelUpstream {
  const config = stdioConfig({ id, command: [...command], env, requestTimeout: 20_000, idleTimeout: 20_000 })
  return openChannelUpstream(config, {
    log: silent,
    clock: Date.now,
    directory: tmpdir(),
    around: AROUND,
    report: () => undefined,
  })
}

async function startEverything(port: number): Promise<ChildProcess> {
  const started = spawn(process.execPath, [...PROGRAM, 'streamableHttp'], {
    env: { PATH: process.env['PATH'] ?? '', PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  await saying(started, /listening on port/i)
  return started
}

let everything: ChildProcess
let port: number
let http: ReturnType<typeof remote>
let fixture: Fixture
let modern: ReturnType<typeof remote>
let stdio: ChannelUpstream
let memory: ChannelUpstream
let folder: string

beforeAll(async () => {
  port = await freePort()
  everything = await startEverything(port)
  http = remote(`http://127.0.0.1:${port}/mcp`, { id: 'everything' })
  fixture = await startFixture()
  modern = remote(fixture.url, { id: 'fixture' })
  stdio = child('child', [process.execPath, ...PROGRAM, 'stdio'])
  folder = mkdtempSync(join(tmpdir(), 'portcullis-bridge-'))
  const { command, env } = memoryServer('memory', join(folder, 'memory.json'))
  memory = child('memory', command, env)
})
afterAll(async () => {
  bridge.close()
  await Promise.all([http?.close(), modern?.close(), stdio?.close(), memory?.close(), fixture?.close()])
  await stopProcess(everything)
  rmSync(folder, { recursive: true, force: true })
})

interface Given {
  readonly hello?: ClientHello
  readonly who?: string
  readonly heard?: unknown[]
}
async function ask(upstream: Upstream, method: string, params: Record<string, unknown> = {}, given: Given = {}) {
  const { hello = MODERN, who = 'ann', heard = [] } = given
  const answer = await bridge.bridgeCall(upstream, {
    principal: person(who),
    message: { jsonrpc: '2.0', id: 'c1', method, params },
    hello,
    signal: AbortSignal.timeout(20_000),
    onNotification: (notification) => void heard.push(notification),
  })
  expect(answer).toMatchObject({ jsonrpc: '2.0', id: 'c1' })
  return answer as { result?: Record<string, unknown>; error?: { code: number; message: string } }
}
const LONG = {
  name: 'trigger-long-running-operation',
  arguments: { duration: 0.2, steps: 2 },
  _meta: { progressToken: 0 },
}

describe.each([
  ['over HTTP', () => http],
  ['as a child process', () => stdio],
])('server-everything %s', (_where, upstream) => {
  it('lists and reads for a modern client, and says for whom that counts', async () => {
    const names = new Map([
      ['tools/list', 'tools'],
      ['prompts/list', 'prompts'],
      ['resources/list', 'resources'],
      ['resources/templates/list', 'resourceTemplates'],
    ])
    for (const [method, member] of names) {
      const { result } = await ask(upstream(), method)
      expect(result).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' })
      expect(result?.[member]).toEqual(expect.arrayContaining([expect.any(Object)]))
    }
    const { result: list } = await ask(upstream(), 'resources/list')
    const [{ uri } = {}] = (list?.['resources'] ?? []) as { uri?: string }[]
    const { result: read } = await ask(upstream(), 'resources/read', { uri })
    expect(read).toMatchObject({ contents: [{ uri }], cacheScope: 'private' })
  })

  it('calls, prompts and completes for a modern client', async () => {
    const echo = await ask(upstream(), 'tools/call', { name: 'echo', arguments: { message: 'hé' } })
    expect(echo.result).toMatchObject({
      content: [{ type: 'text', text: 'Echo: hé' }],
      resultType: 'complete',
      _meta: { [`${META}serverInfo`]: expect.objectContaining({ name: expect.any(String) }) },
    })
    expect(echo.result).not.toHaveProperty('ttlMs')
    const prompt = await ask(upstream(), 'prompts/get', { name: 'simple-prompt' })
    expect(prompt.result?.['messages']).toHaveLength(1)
    const ref = { type: 'ref/prompt', name: 'completable-prompt' }
    const done = await ask(upstream(), 'completion/complete', { ref, argument: { name: 'department', value: 'Eng' } })
    expect(done.result).toMatchObject({ completion: { values: expect.arrayContaining(['Engineering']) } })
  })

  it("tells of progress under the client's own token", async () => {
    const heard: unknown[] = []
    await ask(upstream(), 'tools/call', LONG, { heard })
    expect(heard).toHaveLength(2)
    expect(heard[0]).toMatchObject({ method: 'notifications/progress', params: { progressToken: 0, total: 2 } })
  })

  it('answers a client of the handshake era in its own words, and errors in those of the client', async () => {
    const { result } = await ask(upstream(), 'tools/list', {}, { hello: LEGACY })
    expect(result).not.toHaveProperty('resultType')
    expect(result).not.toHaveProperty('ttlMs')
    const missing = { uri: 'demo://resource/static/document/nowhere' }
    for (const hello of [MODERN, LEGACY]) {
      const { error } = await ask(upstream(), 'resources/read', missing, { hello })
      expect(error?.code).toBe(-32602)
    }
  })
})

describe('server-everything that was killed between two calls', () => {
  it('is met anew: a list at once, a call the next time', async () => {
    const call = () => ask(http, 'tools/call', { name: 'echo', arguments: { message: 'x' } })
    await call()
    await stopProcess(everything, 'SIGKILL')
    await expect(call()).rejects.toMatchObject({ reason: expect.stringMatching(/^(connect|reset)$/) })
    expect(reports.at(-1)).toEqual(['everything', false])
    everything = await startEverything(port)
    await expect(call()).rejects.toMatchObject({ reason: 'session_lost' })
    expect((await call()).result).toMatchObject({ content: [{ text: 'Echo: x' }] })
    await stopProcess(everything, 'SIGKILL')
    everything = await startEverything(port)
    expect((await ask(http, 'tools/list')).result?.['tools']).toBeDefined()
  })
})

describe('the memory server, one process for everybody', () => {
  it('is asked by two people at once, each with an answer of their own', async () => {
    const open = (who: string) =>
      ask(memory, 'tools/call', { name: 'open_nodes', arguments: { names: [who] } }, { who, hello: LEGACY })
    await ask(memory, 'tools/call', {
      name: 'create_entities',
      arguments: { entities: ['ann', 'bob'].map((name) => ({ name, entityType: 'person', observations: [] })) },
    })
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => open(at % 2 === 0 ? 'ann' : 'bob')))
    for (const [at, { result }] of answers.entries())
      expect(result?.['structuredContent']).toMatchObject({ entities: [{ name: at % 2 === 0 ? 'ann' : 'bob' }] })
  })
})

describe('our fixture, for a client of the handshake era', () => {
  const asking = (method: string, params = {}, heard: unknown[] = []) =>
    ask(modern, method, params, { hello: LEGACY, heard })

  it('lists, reads, prompts and calls in its words', async () => {
    const { result } = await asking('tools/list')
    expect(Object.keys(result ?? {})).toEqual(['tools'])
    expect((await asking('tools/call', { name: 'test_simple_text', arguments: {} })).result).toEqual({
      content: [{ type: 'text', text: expect.any(String) }],
    })
    expect((await asking('resources/read', { uri: 'test://static-text' })).result).toMatchObject({ contents: [{}] })
    expect((await asking('prompts/get', { name: 'test_simple_prompt' })).result).toMatchObject({ messages: [{}] })
    const ref = { type: 'ref/prompt', name: 'test_prompt_with_arguments' }
    const done = await asking('completion/complete', { ref, argument: { name: 'arg1', value: 'par' } })
    expect(done.result).toMatchObject({ completion: { values: ['paris', 'park', 'party'] } })
  })

  it('tells of progress', async () => {
    const heard: unknown[] = []
    await asking('tools/call', { name: 'test_tool_with_progress', arguments: {}, _meta: { progressToken: 'p' } }, heard)
    expect(heard.length).toBeGreaterThan(1)
    for (const notification of heard) expect(notification).toMatchObject({ params: { progressToken: 'p' } })
  })

  it('says what it would need, and does not wait for it', async () => {
    for (const name of ['test_missing_capability', 'test_input_required_result_elicitation', 'test_sampling']) {
      const { result, error } = await asking('tools/call', { name, arguments: { prompt: 'x' } })
      expect(error ?? result).toMatchObject({ isError: true })
    }
    expect((await asking('prompts/get', { name: 'test_input_required_result_prompt' })).error?.code).toBe(-32603)
  })

  it('refuses an unknown name as itself', async () => {
    expect((await asking('tools/call', { name: 'nothing', arguments: {} })).error).toBeDefined()
  })
})
