// `npm run bench:aggregate`: a call through /mcp beside the same call at its server's own address; lists of few and of many tools, filtered
// for the caller; and the list where one server hangs. Rounds are interleaved and medians told; a missed budget is told, and is no failure.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../src/store/open.ts'
import { registerClient } from '../test/support/client.ts'
import { addUser } from '../test/support/people.ts'
import { createPerson } from '../test/support/person.ts'
import { freePort } from '../test/support/upstream.ts'
import { servePortcullis } from './gate.ts'
import type { Load } from './load.ts'
import type { Sample } from './pace.ts'
import { type Measured, startNode } from './process.ts'
import { machine, median } from './report.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
/** Servers and tools of each. */
const SIZES = [
  [1, 10],
  [10, 10],
  [50, 20],
] as const
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
const TIMEOUT = 500

interface Gate extends Measured {
  post(path: string, method: string, name?: string): Promise<Omit<Load, 'concurrency' | 'count' | 'seconds'>>
}

const started: { stop(): Promise<void> }[] = []
async function keep<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const running = await starting
  started.push(running)
  return running
}

/** The product as an operator runs it; the caller may use all tools of every server but one each. */
async function startGate(upstream: string, [servers, tools]: readonly [number, number], hung = false): Promise<Gate> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-bench-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const ids = Array.from({ length: servers }, (_, at) => ({ id: `s${at}`, url: `${upstream}/${tools}/${at}` }))
  const config = {
    server: { url, listen: `127.0.0.1:${port}` },
    store: { url: `sqlite:${join(folder, 'portcullis.db')}`, directory: join(folder, 'data') },
    oauth: { accessTokenTtl: '2h' },
    servers: hung ? [...ids, { id: 'hung', url: `${upstream}/hung` }] : ids,
    aggregate: { timeout: `${TIMEOUT}ms` },
    policy: {
      rules: [
        { allow: ['*/*'], to: ['*'] },
        { deny: ['*/tool_7'], to: ['*'] },
      ],
    },
    audit: { sink: ['store'] },
  }
  const file = join(folder, 'portcullis.json')
  mkdirSync(join(folder, 'data'), { recursive: true })
  writeFileSync(file, JSON.stringify(config))
  const user = { username: 'bench', password: 'a long enough pass phrase' }
  const store = await openStore({ url: config.store.url, directory: config.store.directory })
  await addUser(store, { ...user, administrator: true })
  await store.close()
  const process = await keep(servePortcullis(['--config', file], { cwd: folder }))
  const client = await registerClient({ url })
  const tokens = new Map<string, string>()
  return {
    ...process,
    async post(path, method, name) {
      const resource = url + path
      const sign = () => client.signIn(createPerson(user), { resource, scope: 'mcp:tools' })
      const token = tokens.get(path) ?? (await sign()).accessToken
      tokens.set(path, token)
      const args = { message: 'Words that a person wrote and a tool shall read. '.repeat(40).slice(0, 1680) }
      const params = { ...(name !== undefined && { name, arguments: args }), _meta: META }
      return {
        url: resource,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': method,
          ...(name !== undefined && { 'mcp-name': name }),
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      }
    },
  }
}

interface Contest {
  readonly name: string
  readonly gate: Gate
  readonly order: Omit<Load, 'concurrency' | 'count' | 'seconds'>
  readonly count: number
}

type Measurement = Sample & { readonly cpu: number }

async function compare(contests: readonly Contest[], load: (order: Load) => Promise<Sample>) {
  const measured = contests.map((): Measurement[] => [])
  for (let round = 0; round <= ROUNDS; round++)
    for (const [at, { name, gate, order, count }] of contests.entries()) {
      const before = await gate.usage()
      const sample = await load({ ...order, concurrency: 16, count, seconds: 10 })
      const cpu = ((await gate.usage()).cpu - before.cpu) / sample.answered
      if (sample.failed > 0) throw new Error(`${name}: ${sample.failed} of ${sample.answered} were not answered.`)
      // The first round warms up.
      if (round > 0) measured[at]?.push({ ...sample, cpu })
    }
  return contests.map(({ name }, at) => {
    const all = measured[at] ?? []
    return { name, cpu: median(all.map(({ cpu }) => cpu)), perSecond: median(all.map((one) => one.perSecond)) }
  })
}

async function timeOf(gate: Gate): Promise<number> {
  const { url, headers, body } = await gate.post('/mcp', 'tools/list')
  const at = performance.now()
  await (await fetch(url, { method: 'POST', headers, body })).text()
  return performance.now() - at
}

async function main(): Promise<void> {
  const port = await freePort()
  await keep(startNode(join(import.meta.dirname, 'servers/many.ts'), [String(port)]))
  const upstream = `http://127.0.0.1:${port}`
  const generator = fork(join(import.meta.dirname, 'load.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    const load = async (order: Load): Promise<Sample> => {
      const answer = once(generator, 'message')
      generator.send(order)
      return ((await answer) as [Sample])[0]
    }
    const gates = await Promise.all(SIZES.map((size) => startGate(upstream, size)))
    const [, middle] = gates
    if (middle === undefined) throw new TypeError('There is no gate to call through.')
    const calls = await compare(
      [
        { name: 'own', gate: middle, order: await middle.post('/servers/s3/mcp', 'tools/call', 'tool_1'), count: 6000 },
        { name: 'all', gate: middle, order: await middle.post('/mcp', 'tools/call', 's3__tool_1'), count: 6000 },
      ],
      load,
    )
    const listing = await Promise.all(
      gates.map(async (gate, at) => ({
        name: `${(SIZES[at] ?? []).join(' × ')}`,
        gate,
        order: await gate.post('/mcp', 'tools/list'),
        count: 3000,
      })),
    )
    const lists = await compare(listing, load)
    const hung = await startGate(upstream, [10, 10], true)
    const late = await timeOf(hung)
    const again = await timeOf(hung)
    tell(calls, lists, { late, again })
  } finally {
    generator.kill()
    for (const running of started.toReversed()) await running.stop()
  }
}

type Told = Awaited<ReturnType<typeof compare>>

function tell(calls: Told, lists: Told, hung: { late: number; again: number }): void {
  const [own, all] = calls
  const ratio = (all?.cpu ?? Number.NaN) / (own?.cpu ?? Number.NaN)
  const largest = lists.at(-1)?.perSecond ?? Number.NaN
  const verdict = (kept: boolean) => (kept ? 'kept' : 'missed')
  const about = machine()
  const text = [
    '# The aggregate',
    '',
    `${about.processor}, ${about.system}, ${about.date.slice(0, 10)}, commit ${about.commit.slice(0, 7)}. Medians of ${ROUNDS} rounds, 16 at a time.`,
    '',
    '| a call of 2 KB, ten servers | CPU µs | /s |',
    '|---|---:|---:|',
    `| at the server’s own address | ${own?.cpu.toFixed(0)} | ${own?.perSecond.toFixed(0)} |`,
    `| at /mcp | ${all?.cpu.toFixed(0)} | ${all?.perSecond.toFixed(0)} |`,
    '',
    `${ratio.toFixed(2)} × the CPU (budget 1.3 ×: ${verdict(ratio <= 1.3)}).`,
    '',
    '| `tools/list` at /mcp, filtered, servers × tools | CPU µs | /s |',
    '|---|---:|---:|',
    ...lists.map(({ name, cpu, perSecond }) => `| ${name} | ${cpu.toFixed(0)} | ${perSecond.toFixed(0)} |`),
    '',
    `50 × 20: ${largest.toFixed(0)} /s (budget 1,000 /s: ${verdict(largest >= 1000)}).`,
    '',
    `With a server that hangs, the first list takes ${hung.late.toFixed(0)} ms where \`aggregate.timeout\` is ${TIMEOUT} ms (budget ${TIMEOUT * 1.1} ms: ${verdict(hung.late <= TIMEOUT * 1.1)}), the next ${hung.again.toFixed(0)} ms.`,
    '',
  ].join('\n')
  process.stdout.write(text)
  writeFileSync(join(import.meta.dirname, 'results', 'aggregate.md'), text)
}

await main()
