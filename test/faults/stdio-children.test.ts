// R16: children that crash, leak, flood, multiply and will not die. Each hurts its own call or its own process, and nothing else; what ends
// is gone from the table of processes.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StdioServerConfig } from '../../src/config/servers.ts'
import { openChannelUpstream } from '../../src/upstreams/channel/open.ts'
import type { ChannelUpstream } from '../../src/upstreams/upstream.ts'
import { AROUND, stdioConfig } from '../support/configured.ts'
import { mostHeld } from '../support/held-memory.ts'

const ROOT = join(import.meta.dirname, '../..')
const NASTY = join(ROOT, 'test/support/nasty-child.js')
const NONE = { memory: 0, cpu: 0, files: 0, processes: 0, line: 16 * 1024 * 1024 }
const HAS_PRLIMIT = existsSync('/usr/bin/prlimit')
const BWRAP_WORKS = spawnSync('bwrap', ['--unshare-all', '--ro-bind', '/', '/', 'true']).status === 0
const ENDS_WITH_US = spawnSync('setpriv', ['--pdeathsig', 'KILL', '--', 'true']).status === 0
const IS_ROOT = process.getuid?.() === 0

const directory = mkdtempSync(join(tmpdir(), 'portcullis-faults-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const open: ChannelUpstream[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((upstream) => upstream.close()))
  expect(childrenOf(process.pid)).toEqual([])
})

function start(own: Partial<StdioServerConfig> = {}) {
  const time = { now: 1_000_000 }
  const logged: string[] = []
  const log = (fields: object, message: string) => logged.push(`${message} ${JSON.stringify(fields)}`)
  const upstream = openChannelUpstream(
    stdioConfig({ id: 'child', command: ['node', NASTY], requestTimeout: 20_000, idleTimeout: 20_000, ...own }),
    {
      log: { debug: log, info: log, warn: log },
      clock: () => time.now,
      around: AROUND,
      directory,
      report: () => undefined,
    },
  )
  open.push(upstream)
  return { upstream, time, logged }
}

const never = new AbortController().signal
async function say(upstream: ChannelUpstream, name: string, args: object = {}): Promise<string> {
  const message = { jsonrpc: '2.0' as const, id: 1, method: 'tools/call', params: { name, arguments: args } }
  const { result } = await upstream.request(message, { signal: never, onNotification: () => undefined })
  return (result as { content: { text: string }[] }).content[0]?.text ?? ''
}

/** `undefined`: it is gone, perhaps while it was looked at. */
function statOf(pid: number | string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined
    throw error
  }
}

/** `Z`: ended, and nobody has asked how. */
const stateOf = (pid: number): string => statOf(pid)?.split(') ')[1]?.[0] ?? 'gone'

/** Of these programs, whatever state they are in. */
function childrenOf(parent: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(name) ?? [])
    .filter((stat) => Number(stat.split(') ')[1]?.split(' ')[1]) === parent && !stat.includes('esbuild'))
}

describe('a child', () => {
  beforeEach((context) => {
    if (!existsSync('/proc/self/stat')) context.skip('what becomes of processes is read from /proc.')
  })

  it('that is killed a hundred times in the middle of calls fails those, comes back, and leaves nothing', async () => {
    const { upstream, time } = start()
    const pids = new Set<number>()
    for (let round = 0; round < 100; round += 1) {
      const pid = Number(await say(upstream, 'pid'))
      pids.add(pid)
      const calls = ['hold', 'hold', 'hold'].map((name) => say(upstream, name))
      process.kill(pid, 'SIGKILL')
      for (const outcome of await Promise.allSettled(calls))
        expect(outcome).toMatchObject({ status: 'rejected', reason: { reason: 'exited' } })
      time.now += 60_000
    }
    expect(pids.size).toBe(100)
    expect([...pids].map(stateOf)).toEqual(Array.from({ length: 100 }, () => 'gone'))
  }, 120_000)

  it('that dies at each start is started later and later, not in a loop', async () => {
    const { upstream, time, logged } = start({ command: ['node', '-e', 'process.exit(7)'] })
    for (let at = 0; at < 100; at += 1) {
      await expect(say(upstream, 'pid')).rejects.toMatchObject({ reason: 'exited' })
      time.now += 1000
    }
    // 1, 2, 4, 8, 16, 32 and then 60 seconds, each up to a quarter less.
    expect(logged.filter((line) => line.startsWith('server ended')).length).toBeLessThanOrEqual(9)
  })

  it('that leaves its group and keeps the pipes does not keep the calls', async () => {
    const { upstream } = start()
    const escaped = Number(await say(upstream, 'escape'))
    try {
      await expect(say(upstream, 'exit')).rejects.toMatchObject({ reason: 'exited' })
    } finally {
      process.kill(escaped, 'SIGKILL')
    }
  })

  it('that floods its log, or writes a line of 50 MB, is heard on; our memory is as before', async () => {
    const { upstream, logged } = start()
    await say(upstream, 'echo')
    const most = await mostHeld(async () => {
      for (let round = 0; round < 5; round += 1) {
        expect(await say(upstream, 'flood')).toBe('flooded')
        await expect(say(upstream, 'huge')).rejects.toMatchObject({ reason: 'protocol' })
      }
    })
    expect(await say(upstream, 'echo', { still: true })).toBe('{"still":true}')
    expect(logged.length).toBeLessThan(100)
    // Of 50 MB no more is held than a line may have, in pieces and put together (measured: 2.6 times that).
    expect(most).toBeLessThan(4 * NONE.line)
  })

  it('that ignores the end of its input and SIGTERM is killed, with its whole family', async () => {
    const { upstream } = start()
    const pids = [Number(await say(upstream, 'pid')), Number(await say(upstream, 'family'))]
    await say(upstream, 'stubborn')
    await upstream.close()
    await expect.poll(() => pids.map(stateOf).filter((state) => state !== 'gone' && state !== 'Z')).toEqual([])
  })

  it('of its own folder works there, which is ours alone', async () => {
    const { upstream } = start()
    const folder = await say(upstream, 'cwd')
    expect(folder).toBe(join(directory, 'servers/child'))
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  })

  it('sees its input end when the gate is killed, and ends', async () => {
    const run = spawn(process.execPath, ['--input-type=module', '--eval', driver({ calls: ['pid', 'wait'] })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const pid = await new Promise<number>((resolve) => run.stdout.once('data', (said) => resolve(Number(said))))
    run.kill('SIGKILL')
    await once(run, 'exit')
    await expect.poll(() => stateOf(pid)).toMatch(/^(?:gone|Z)$/)
  })
})

describe('a child that ignores the end of its input', () => {
  beforeEach((context) => {
    if (!ENDS_WITH_US) context.skip('setpriv (util-linux 2.33 or later) is not here.')
  })

  it.each<[string, typeof NONE]>([
    ['without limits', NONE],
    ['with limits', { ...NONE, files: 256 }],
  ])('and all signals but one, %s, ends with a gate that is killed', async (_, limits) => {
    const run = spawn(
      process.execPath,
      ['--input-type=module', '--eval', driver({ limits, calls: ['pid', 'stubborn', 'wait'] })],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let said = ''
    for await (const chunk of run.stdout.setEncoding('utf8')) {
      said += chunk
      if (said.split('\n').length > 2) break
    }
    const pid = Number(said.split('\n')[0])
    expect(['S', 'R']).toContain(stateOf(pid))
    run.kill('SIGKILL')
    await once(run, 'exit')
    await expect.poll(() => stateOf(pid)).toMatch(/^(?:gone|Z)$/)
  })

  it('that is no program is told as such', async () => {
    const file = join(directory, 'no-program')
    writeFileSync(file, 'text', { mode: 0o644 })
    const { upstream } = start({ command: [file] })
    await expect(say(upstream, 'pid')).rejects.toMatchObject({ reason: 'spawn' })
  })
})

describe('a child with limits', () => {
  beforeEach((context) => {
    if (!HAS_PRLIMIT) context.skip('prlimit (util-linux) is not here.')
  })

  it('of memory fails alone when it holds too much', async () => {
    const { upstream, time } = start({ limits: { ...NONE, memory: 1024 * 1024 * 1024 } })
    expect(await say(upstream, 'hog', { megabytes: 64 })).toBe('held 64 MB')
    await expect(say(upstream, 'hog', { megabytes: 2048 })).rejects.toMatchObject({ reason: 'exited' })
    time.now += 60_000
    expect(await say(upstream, 'echo', { back: true })).toBe('{"back":true}')
  })

  it('of processor time is ended by the kernel', async () => {
    const { upstream } = start({ limits: { ...NONE, cpu: 2000 } })
    await expect(say(upstream, 'spin')).rejects.toMatchObject({
      reason: 'exited',
      message: expect.stringMatching(/SIGXCPU|SIGKILL/),
    })
  })

  it('of files gets no more of them', async () => {
    const { upstream } = start({ limits: { ...NONE, files: 128 } })
    expect(await say(upstream, 'files', { count: 20 })).toBe('opened')
    await expect(say(upstream, 'files', { count: 500 })).rejects.toMatchObject({ reason: 'exited' })
  })

  it('that is not there is told as such, though it would be started through another', async () => {
    const { upstream } = start({ command: ['no-such-mcp-server'], limits: { ...NONE, files: 128 } })
    await expect(say(upstream, 'pid')).rejects.toMatchObject({
      reason: 'spawn',
      message: expect.stringContaining('no-such-mcp-server'),
    })
  })

  // RLIMIT_NPROC binds everybody but root: as root the gate refuses, and what it would keep is seen as another user.
  it('of processes multiplies to the limit and no further', async () => {
    const limits = { ...NONE, processes: 40 }
    if (IS_ROOT) expect(() => start({ limits })).toThrow(/binds? root/)
    // Nobody else on this machine sleeps so long.
    const nap = `30.${process.pid}`
    const script = driver({ limits, calls: ['fork'], nap })
    const as = IS_ROOT ? { uid: 65534, gid: 65534 } : {}
    const run = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      ...as,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said] = await Promise.all([text(run.stdout), once(run, 'exit')])
    const outcomes = JSON.parse(said) as string[]
    expect(outcomes).toHaveLength(100)
    expect(outcomes.filter((one) => one === 'refused').length).toBeGreaterThan(55)
    expect(outcomes).toContain('started')
    // What was started belongs to the child's group, and ended with it.
    const running = () => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    await expect.poll(running).not.toMatch(new RegExp(`^sleep ${nap}$`, 'm'))
  })
})

describe('a child in a sandbox', () => {
  beforeEach((context) => {
    if (!BWRAP_WORKS) context.skip('bubblewrap is not here, or this machine gives it no namespaces.')
  })

  it('reads what is there, writes into its folder and a /tmp of its own, and does not see our folder', async () => {
    writeFileSync(join(directory, 'keys'), 'ours')
    const { upstream } = start({ sandbox: 'bwrap', limits: { ...NONE, files: 256 } })
    const folder = await say(upstream, 'cwd')
    expect(folder).toBe(join(directory, 'servers/child'))
    const tries = [join(folder, 'kept'), '/tmp/own', join(ROOT, 'planted'), join(directory, 'planted'), '/etc/planted']
    expect(JSON.parse(await say(upstream, 'write', { files: tries }))).toEqual([
      'written',
      'written',
      'EROFS',
      // Into a file system of its own that is gone with it.
      'written',
      'EROFS',
    ])
    expect(existsSync(join(folder, 'kept'))).toBe(true)
    expect([join(directory, 'planted'), '/tmp/own'].filter((file) => existsSync(file))).toEqual([])
    expect(JSON.parse(await say(upstream, 'list', { folder: directory }))).not.toContain('keys')
    expect(JSON.parse(await say(upstream, 'list', { folder: join(ROOT, 'src') }))).toContain('gateway.ts')
    // It sees its own processes only.
    expect(Number(await say(upstream, 'pid'))).toBeLessThan(10)
  })

  it('ends with a gate that is killed, though it ignores the end of its input', async () => {
    const script = driver({ sandbox: 'bwrap', calls: ['stubborn', 'wait'] })
    const run = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(run.stdout, 'data')
    const [wrapper = ''] = childrenOf(run.pid ?? 0)
    const inside = childrenOf(Number(wrapper.split(' ')[0])).map((stat) => Number(stat.split(' ')[0]))
    expect(inside.length).toBeGreaterThan(0)
    run.kill('SIGKILL')
    await once(run, 'exit')
    await expect.poll(() => inside.map(stateOf).filter((state) => !['gone', 'Z'].includes(state))).toEqual([])
  })
})

/** A gate of its own process: says on its output what the child answered. */
const driver = ({
  limits = NONE,
  sandbox = 'none',
  calls,
  nap = '30',
}: {
  limits?: typeof NONE
  sandbox?: string
  calls: readonly string[]
  /** Seconds that what is forked sleeps. */
  nap?: string
}): string => `
  import { mkdtempSync } from 'node:fs'
  import { openChannelUpstream } from ${JSON.stringify(join(ROOT, 'src/upstreams/channel/open.ts'))}
  const log = { debug() {}, info() {}, warn() {} }
  const config = ${JSON.stringify(stdioConfig({ id: 'child', command: ['node', NASTY] }))}
  const upstream = openChannelUpstream({ ...config, limits: ${JSON.stringify(limits)}, sandbox: ${JSON.stringify(sandbox)} },
    { log, clock: Date.now, directory: mkdtempSync(${JSON.stringify(join(tmpdir(), 'portcullis-driver-'))}), report() {} })
  const signal = new AbortController().signal
  for (const name of ${JSON.stringify(calls)}) {
    if (name === 'wait') await new Promise(() => setInterval(() => {}, 1000))
    const { result } = await upstream.request(
      { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: { count: 100, nap: ${JSON.stringify(nap)} } } },
      { signal, onNotification() {} })
    console.log(result.content[0].text)
  }
  await upstream.close()
  process.exit(0)`
