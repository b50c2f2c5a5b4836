// `npm run bench:upstreams`: what it costs to tell a server who calls and to give it a credential, to speak to a child process, and to bridge
// eras, beside the SDK's own client and mcp-proxy. Rounds are interleaved and medians told; a missed budget is told, and is no failure.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Contender, type Group, type Keep, startContenders } from './behind.ts'
import type { Load } from './load.ts'
import type { Sample, Shape } from './pace.ts'
import { childrenOf, usageOf } from './process.ts'
import { machine, median } from './report.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
/** For trying it out: a share of the calls. */
const SHARE = Number(process.env['BENCH_SHARE'] ?? 1)
const ALONE: Shape = { concurrency: 1, count: 200 * SHARE, seconds: 0.5 }
/** A ratio of 1.2 needs a steadier figure than one of several times. */
const TOGETHER: Readonly<Record<Group, Shape>> = {
  told: { concurrency: 16, count: 4000 * SHARE, seconds: 1 },
  stdio: { concurrency: 16, count: 1500 * SHARE, seconds: 0.7 },
  eras: { concurrency: 16, count: 1500 * SHARE, seconds: 0.7 },
  channels: { concurrency: 16, count: 1500 * SHARE, seconds: 0.7 },
}
const WARM_UP: Shape = { concurrency: 16, count: 8000 * SHARE, seconds: 1.5 }
/** V8 goes on compiling for longer than a round lasts. */
const LONG_WARM_UP: Shape = { concurrency: 16, count: 25_000 * SHARE, seconds: 6 }

type Measurement = Sample & { readonly cpu: number; readonly children: number }

async function measure({ name, process, run }: Contender, shape: Shape): Promise<Measurement> {
  const children = childrenOf(process.pid)
  const [own, others] = [await process.usage(), usageOf(children)]
  const sample = await run(shape)
  if (sample.failed > 0) throw new Error(`${name}: ${sample.failed} of ${sample.answered} were not answered.`)
  const used = usageOf(children).cpu - others.cpu
  const cpu = ((await process.usage()).cpu - own.cpu) / sample.answered
  return { ...sample, cpu, children: used / sample.answered }
}

interface Row {
  readonly name: string
  readonly group: Group
  /** Microseconds of CPU a call, 16 at a time: its own, and of its children. */
  readonly cpu: number
  /** The same, round by round. */
  readonly rounds: readonly number[]
  readonly children: number
  readonly perSecond: number
  /** Milliseconds, one at a time. */
  readonly p50: number
}

async function compare(contenders: readonly Contender[]): Promise<Row[]> {
  for (const contender of contenders) await measure(contender, contender.group === 'told' ? LONG_WARM_UP : WARM_UP)
  const together = contenders.map((): Measurement[] => [])
  const alone = contenders.map((): Measurement[] => [])
  for (let round = 0; round < ROUNDS; round++)
    for (const [at, contender] of contenders.entries()) {
      together[at]?.push(await measure(contender, TOGETHER[contender.group]))
      alone[at]?.push(await measure(contender, ALONE))
    }
  return contenders.map(({ name, group }, at) => {
    const of = (all: readonly Measurement[] | undefined, what: 'cpu' | 'children' | 'perSecond' | 'p50') =>
      median((all ?? []).map((one) => one[what]))
    return {
      ...{ name, group, p50: of(alone[at], 'p50') },
      ...{
        cpu: of(together[at], 'cpu'),
        rounds: (together[at] ?? []).map(({ cpu }) => cpu),
        children: of(together[at], 'children'),
        perSecond: of(together[at], 'perSecond'),
      },
    }
  })
}

const CAPTIONS: Readonly<Record<Group, string>> = {
  told: 'one modern server over HTTP',
  stdio: 'one child process',
  eras: 'clients and servers of both eras',
  channels: 'servers over one lasting channel, handshake client',
}

function table(group: Group, rows: readonly Row[]): string[] {
  const line = ({ name, cpu, children, p50, perSecond }: Row) =>
    `| ${name} | ${cpu.toFixed(0)} | ${children === 0 ? '' : children.toFixed(0)} | ${p50.toFixed(2)} | ${perSecond.toFixed(0)} |`
  return [
    `| ${CAPTIONS[group]} | CPU µs a call | of its children | p50 ms | calls a second |`,
    '|---|---:|---:|---:|---:|',
    ...rows.filter((row) => row.group === group).map(line),
    '',
  ]
}

const BUDGET = 1.2

function page(rows: readonly Row[]): string {
  const [plain, , keyed, pasted] = rows.filter(({ group }) => group === 'told').map((row) => row.rounds)
  // Round by round, since what else the machine does comes and goes.
  const against = (all: readonly number[] = []) => {
    const ratio = median(all.map((cpu, round) => cpu / (plain?.[round] ?? Number.NaN)))
    return `${ratio.toFixed(2)} × (${ratio <= BUDGET ? 'kept' : '**missed**'})`
  }
  const about = machine()
  return [
    '# Servers behind the gate',
    '',
    `${about.processor}, ${about.system}, ${about.date.slice(0, 10)}, commit ${about.commit.slice(0, 7)}. The same 2 KB call and answer everywhere;`,
    `${ROUNDS} interleaved rounds, medians. CPU and rate are of 16 calls at a time, p50 of one. *Portcullis* authenticates, authorizes and records`,
    'every call, and tells the server who calls; *mcp-proxy* does none of that. *SDK client* has no process in between: its CPU is that of the',
    'whole client, while for the others the client is the load generator, which is not counted. Remote servers are not counted either.',
    'Absolute figures are this machine’s; read ratios.',
    '',
    ...table('told', rows),
    `CPU with identity and a vault credential, against the plain call of the same round, median (budget ${BUDGET} ×): ${against(keyed)}; with a secret of each person's own: ${against(pasted)}.`,
    'Where people bring accounts of their own the address is a view of that one server, so that whoever has none yet finds out how to connect one.',
    '',
    ...table('stdio', rows),
    ...table('eras', rows),
    'mcp-proxy speaks to child processes only, so that its modern server is one.',
    '',
    ...table('channels', rows),
  ].join('\n')
}

async function main(): Promise<void> {
  const started: { stop(): Promise<void> }[] = []
  const keep: Keep = async (starting) => {
    const running = await starting
    started.push(running)
    return running
  }
  const generator = fork(join(import.meta.dirname, 'load.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    const load = async (order: Load): Promise<Sample> => {
      const answer = once(generator, 'message')
      generator.send(order)
      return ((await answer) as [Sample])[0]
    }
    const text = page(await compare(await startContenders(load, keep)))
    process.stdout.write(text)
    // What was only tried is not published.
    if (SHARE === 1) writeFileSync(join(import.meta.dirname, 'results', 'upstreams.md'), text)
  } finally {
    generator.kill()
    for (const running of started.toReversed()) await running.stop()
  }
}

await main()
