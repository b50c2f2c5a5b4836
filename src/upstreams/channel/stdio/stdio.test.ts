// A child is another program: real servers, and one that does everything wrong (attack catalogue E31, E32).
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdtemp, realpath, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { AROUND, stdioConfig } from '../../../../test/support/configured.ts'
import type { RpcNotification, RpcRequest } from '../../../protocol/jsonrpc.ts'
import type { ChannelUpstream } from '../../upstream.ts'
import { openChannelUpstream } from '../open.ts'

const NASTY = join(import.meta.dirname, '../../../../test/support/nasty-child.js')
const OURS = mkdtempSync(join(tmpdir(), 'portcullis-'))
afterAll(() => rmSync(OURS, { recursive: true }))
const open: ChannelUpstream[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((upstream) => upstream.close()))
})

function startUpstream(
  options: { command?: string[]; env?: Record<string, string>; cwd?: string; requestTimeout?: number } = {},
) {
  const logged: string[] = []
  const outcomes: string[] = []
  const time = { now: 1_000_000 }
  const log = (fields: Record<string, unknown>, message: string) => logged.push(`${message} ${JSON.stringify(fields)}`)
  const upstream = openChannelUpstream(
    stdioConfig({
      id: 'child',
      command: options.command ?? ['node', NASTY],
      env: options.env ?? {},
      requestTimeout: options.requestTimeout ?? 20_000,
      idleTimeout: 20_000,
      ...(options.cwd ? { cwd: options.cwd } : {}),
    }),
    {
      directory: OURS,
      around: AROUND,
      log: { debug: log, info: log, warn: log },
      clock: () => time.now,
      report: (outcome) => outcomes.push(outcome.ok ? 'ok' : outcome.reason),
    },
  )
  open.push(upstream)
  return { upstream, logged, outcomes, time }
}

const never = new AbortController().signal
const request = (
  upstream: ChannelUpstream,
  message: Partial<RpcRequest>,
  options: { signal?: AbortSignal; onNotification?(message: RpcNotification): void } = {},
) =>
  upstream.request(
    { jsonrpc: '2.0', id: 'mine', method: 'tools/call', ...message },
    { signal: options.signal ?? never, onNotification: options.onNotification ?? (() => {}) },
  )
const call = (
  upstream: ChannelUpstream,
  name: string,
  args: Record<string, unknown> = {},
  options: { id?: string | number; signal?: AbortSignal } = {},
) => request(upstream, { id: options.id ?? 'mine', params: { name, arguments: args } }, options)

async function say(upstream: ChannelUpstream, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const answer = await call(upstream, name, args)
  return (answer.result as { content: { text: string }[] }).content[0]?.text ?? ''
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** An orphan may stay a zombie for as long as nobody above it reaps; it runs no more. */
const stateOf = (pid: number): Promise<string> =>
  promisify(execFile)('ps', ['-o', 'stat=', '-p', String(pid)]).then(
    ({ stdout }) => stdout,
    () => 'gone',
  )

describe('a real server', () => {
  it('of files: reads what it may and refuses what it may not', async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'portcullis-')))
    await writeFile(join(folder, 'note.txt'), 'kept in a file')
    const { upstream, outcomes } = startUpstream({ command: ['mcp-server-filesystem', folder] })
    expect(await upstream.initialize()).toMatchObject({ protocolVersion: '2025-11-25', capabilities: { tools: {} } })
    const inside = await call(upstream, 'read_text_file', { path: join(folder, 'note.txt') })
    expect(inside).toMatchObject({ id: 'mine', result: { content: [{ text: 'kept in a file' }] } })
    expect(await call(upstream, 'read_text_file', { path: '/etc/hostname' })).toMatchObject({
      result: { isError: true },
    })
    expect(outcomes).toEqual(['ok'])
    await rm(folder, { recursive: true })
  })

  it('of memory: one process keeps what several callers wrote at once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portcullis-'))
    const { upstream } = startUpstream({
      command: ['mcp-server-memory'],
      env: { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') },
    })
    const names = ['Ann', 'Bob', 'Cyd']
    for (const name of names)
      await call(upstream, 'create_entities', { entities: [{ name, entityType: 'person', observations: [] }] })
    const found = await Promise.all(names.map((query, id) => call(upstream, 'search_nodes', { query }, { id })))
    expect(found.map((answer) => answer.id)).toEqual([0, 1, 2])
    names.forEach((name, at) => {
      expect(JSON.stringify(found[at]?.result)).toContain(name)
    })
    await rm(folder, { recursive: true })
  })
})

describe('what a child is given', () => {
  it('is PATH, HOME, LANG, TZ and its own settings, nothing else of ours', async () => {
    vi.stubEnv('PORTCULLIS_SECRET', 'ours')
    const { upstream } = startUpstream({ env: { OWN: 'its own' } })
    const env = JSON.parse(await say(upstream, 'env')) as Record<string, string>
    vi.unstubAllEnvs()
    expect(env['OWN']).toBe('its own')
    const extra = Object.keys(env).filter((name) => !['PATH', 'HOME', 'LANG', 'TZ', 'OWN'].includes(name))
    expect(extra.filter((name) => !name.startsWith('__CF'))).toEqual([])
  })

  it('is arguments, never a shell line', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portcullis-'))
    const { upstream } = startUpstream({ command: ['node', NASTY, `; touch ${folder}/shell`, '$(id)'], cwd: folder })
    await upstream.initialize()
    await upstream.close()
    // Empty, so that no shell ran; a folder with anything in it cannot be removed this way.
    await expect(rmdir(folder)).resolves.toBeUndefined()
  })
})

describe('callers who share a child', () => {
  it('get their own answers under their own ids, also when the ids are the same', async () => {
    const { upstream } = startUpstream()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => call(upstream, 'echo', { at }, { id: at % 2 === 0 ? 1 : '1' })),
    )
    answers.forEach((answer, at) => {
      expect(answer).toMatchObject({ id: at % 2 === 0 ? 1 : '1', result: { content: [{ text: `{"at":${at}}` }] } })
    })
  })

  it('get the progress of their own call under their own token', async () => {
    const { upstream } = startUpstream()
    const progress: RpcNotification[] = []
    const answer = await request(
      upstream,
      { params: { name: 'progress', arguments: {}, _meta: { progressToken: 'mine', other: 1 } } },
      { onNotification: (message) => progress.push(message) },
    )
    expect(progress).toEqual([
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'mine', progress: 1 } },
    ])
    const sent = JSON.parse((answer.result as { content: { text: string }[] }).content[0]?.text ?? '') as object
    expect(sent).toMatchObject({ other: 1 })
    expect(sent).not.toMatchObject({ progressToken: 'mine' })
  })

  it('cannot foresee the id of another call', async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => JSON.parse(await say(startUpstream().upstream, 'id')) as number),
    )
    expect(Math.min(...ids)).toBeGreaterThan(1000)
    expect(ids[0]).not.toBe(ids[1])
  })

  it('are not answered by a line with a foreign or forged id', async () => {
    const { upstream, logged } = startUpstream()
    const forged = JSON.stringify({ jsonrpc: '2.0', id: 'mine', result: 'forged' })
    expect(await say(upstream, 'forge', { line: forged })).toBe('forged')
    expect(logged.filter((line) => line.includes('no message'))).toHaveLength(2)
  })

  it('hear what belongs to nobody as long as they listen', async () => {
    const { upstream } = startUpstream()
    const heard: string[] = []
    const stop = upstream.subscribe((message) => heard.push(message.method))
    await call(upstream, 'changed')
    expect(await call(upstream, 'batch')).toMatchObject({ result: 'batched' })
    stop()
    await call(upstream, 'changed')
    expect(heard).toEqual(['notifications/tools/list_changed', 'notifications/tools/list_changed'])
  })

  it('cannot initialize it a second time, nor end the calls of others', async () => {
    const { upstream } = startUpstream()
    await expect(request(upstream, { method: 'initialize', params: {} })).rejects.toMatchObject({ reason: 'protocol' })
    const heard: unknown[] = []
    upstream.subscribe((message) => heard.push(message.params?.['method'] ?? message.method))
    await upstream.initialize()
    for (const method of ['notifications/cancelled', 'notifications/initialized', 'notifications/custom'])
      upstream.notify({ jsonrpc: '2.0', method })
    await call(upstream, 'echo')
    expect(heard).toEqual(['notifications/custom'])
  })
})

describe('a call', () => {
  it('that its caller gives up is cancelled at the server and ends once', async () => {
    const { upstream } = startUpstream()
    const told = Promise.withResolvers<unknown>()
    upstream.subscribe((message) => told.resolve(message.params))
    await upstream.initialize()
    const abort = new AbortController()
    const held = call(upstream, 'hold', {}, { signal: abort.signal })
    await call(upstream, 'echo')
    abort.abort()
    await expect(held).rejects.toMatchObject({ reason: 'cancelled' })
    expect(await told.promise).toEqual({ known: true })
    await expect(call(upstream, 'echo', {}, { signal: abort.signal })).rejects.toMatchObject({ reason: 'cancelled' })
  })

  it('that is not answered in time ends, and the child goes on', async () => {
    // So long, because its start has no longer either: on a slow machine a program takes seconds for that.
    const { upstream } = startUpstream({ requestTimeout: 4000 })
    await expect(call(upstream, 'hold')).rejects.toMatchObject({ reason: 'timeout' })
    expect(await say(upstream, 'echo', { still: true })).toBe('{"still":true}')
  })

  it.each(['neither', 'newline', 'huge'])('whose answer is no answer (%s) ends alone', async (name) => {
    const { upstream } = startUpstream()
    await expect(call(upstream, name)).rejects.toMatchObject({ reason: 'protocol' })
    expect(await say(upstream, 'echo', { still: true })).toBe('{"still":true}')
  })

  it('of the server is answered: ping with nothing, the rest with method not found', async () => {
    const { upstream } = startUpstream()
    const answers = JSON.parse(await say(upstream, 'ask')) as unknown[]
    expect(answers).toEqual([
      { jsonrpc: '2.0', id: 'p', result: {} },
      { jsonrpc: '2.0', id: 's', error: { code: -32601, message: expect.any(String) } },
    ])
  })
})

describe('what a child writes', () => {
  it('to stderr is cut to twenty lines a second and has no secret of its settings', async () => {
    const { upstream, logged, time } = startUpstream({ env: { TOKEN: 's3cr3t-token' } })
    expect(await say(upstream, 'flood', { secret: 's3cr3t-token' })).toBe('flooded')
    await expect.poll(() => logged.filter((line) => line.includes('noise'))).toHaveLength(20)
    expect(logged.join()).not.toContain('s3cr3t-token')
    expect(logged.join()).toContain('***')
    time.now += 1000
    await call(upstream, 'forge', { line: 'x'.repeat(5000) })
    expect(logged.some((line) => line.includes('left out'))).toBe(true)
    expect(Math.max(...logged.map((line) => line.length))).toBeLessThan(1000)
  })
})

describe('a child that ends', () => {
  it('fails each waiting call once, is reported, and comes back after the back-off', async () => {
    const { upstream, outcomes, time } = startUpstream()
    const held = [call(upstream, 'hold'), call(upstream, 'hold'), call(upstream, 'exit')]
    for (const outcome of await Promise.allSettled(held))
      expect(outcome).toMatchObject({ reason: { reason: 'exited', message: expect.stringContaining('exit code 3') } })
    expect(outcomes).toEqual(['ok', 'exited'])
    await expect(call(upstream, 'echo')).rejects.toMatchObject({
      reason: 'exited',
      message: expect.stringContaining('1 s'),
    })
    time.now += 1000
    expect(await say(upstream, 'echo', { back: true })).toBe('{"back":true}')
    expect(outcomes).toEqual(['ok', 'exited', 'ok'])
  })

  it('is heard to its last word', async () => {
    const { upstream } = startUpstream()
    expect(await call(upstream, 'lastwords')).toMatchObject({ result: 'last words' })
  })

  it('takes what it started with it: a grandchild that holds its pipes does not hold the calls', async () => {
    const { upstream } = startUpstream({ requestTimeout: 20_000 })
    await call(upstream, 'family')
    await expect(call(upstream, 'exit')).rejects.toMatchObject({ reason: 'exited' })
  })
})

describe('a child that cannot be used', () => {
  it('because it does not exist says which, where it was looked for, and the cure', async () => {
    const { upstream, outcomes } = startUpstream({ command: ['no-such-mcp-server', '--flag'] })
    await expect(upstream.initialize()).rejects.toMatchObject({
      reason: 'spawn',
      message: expect.stringMatching(/no-such-mcp-server.*child.*node_modules\/\.bin.*PATH.*Install it/s),
    })
    await expect(call(upstream, 'echo')).rejects.toMatchObject({ reason: 'spawn' })
    // Before anybody called, and when it was tried; the second call was too soon for another try.
    expect(outcomes).toEqual(['spawn', 'spawn'])
  })

  it('because its arguments are impossible', async () => {
    const { upstream } = startUpstream({ command: ['node', 'a\0b'] })
    await expect(upstream.initialize()).rejects.toMatchObject({ reason: 'spawn' })
  })

  it('because it speaks another revision is stopped', async () => {
    const { upstream, outcomes } = startUpstream({ command: ['node', NASTY, 'revision'] })
    await expect(upstream.initialize()).rejects.toMatchObject({ reason: 'protocol' })
    await expect.poll(() => outcomes).toEqual(['protocol'])
  })
})

describe('stopping', () => {
  it('ends a polite child by the end of its input', async () => {
    const { upstream, outcomes } = startUpstream()
    const pid = Number(await say(upstream, 'pid'))
    await upstream.close()
    expect(alive(pid)).toBe(false)
    expect(outcomes).toEqual(['ok'])
    await expect(call(upstream, 'echo')).rejects.toMatchObject({ reason: 'exited' })
  })

  it('ends a child that ignores SIGTERM, and its waiting call', async () => {
    const { upstream } = startUpstream()
    const pid = Number(await say(upstream, 'pid'))
    await call(upstream, 'stubborn')
    const held = expect(call(upstream, 'hold')).rejects.toMatchObject({ reason: 'exited' })
    await upstream.close()
    await held
    expect(alive(pid)).toBe(false)
  })

  it('of the gateway kills a child that would stay', async () => {
    const gateway = `
      import { openChannelUpstream } from ${JSON.stringify(join(import.meta.dirname, '../open.ts'))}
      const log = { debug() {}, info() {}, warn() {} }
      const config = { id: 'child', command: ['node', ${JSON.stringify(NASTY)}], env: {}, requestTimeout: 9000, idleTimeout: 9000,
        credentials: { type: 'none' }, limits: { memory: 0, cpu: 0, files: 0, processes: 0, line: 1000 }, sandbox: 'none', instanceIdle: 9000 }
      const upstream = openChannelUpstream(config, { log, clock: Date.now, directory: ${JSON.stringify(OURS)}, report() {} })
      const signal = new AbortController().signal
      const call = (name) => upstream.request(
        { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } }, { signal, onNotification() {} })
      await call('stubborn')
      console.log((await call('pid')).result.content[0].text)
      process.exit(0)`
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', gateway])
    expect(Number(stdout)).toBeGreaterThan(1)
    await expect.poll(() => stateOf(Number(stdout))).toMatch(/^(gone|Z)/)
  })

  it('ends a child that never initialized', async () => {
    const { upstream } = startUpstream({ command: ['node', NASTY, 'silent'] })
    const started = expect(upstream.initialize()).rejects.toMatchObject({ reason: 'exited' })
    await upstream.close()
    await started
  })
})
