// `npm run bench`: Portcullis beside its alternatives, in one run on one machine. Rounds are interleaved, so that what else
// the machine does meets all of them; medians are told. A missed budget is told in the table and is no failure of the run.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { CALL, type Contender, startField } from './contenders.ts'
import { measureForwardAuth } from './forward-auth.ts'
import type { Load } from './load.ts'
import type { Sample } from './pace.ts'
import { median, type Row, writeReport } from './report.ts'
import { measureStart } from './startup.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 15)
const SHAPES = [
  { concurrency: 1, count: 1000, seconds: 4 },
  { concurrency: 16, count: 6000, seconds: 6 },
] as const
/**
 * Rounds before the measured ones, each over new connections: V8 throws code away where connections end and come, and goes on compiling
 * for some 80,000 calls, which a process that serves all day has long behind it.
 */
const WARM_UP_ROUNDS = 15
const WARM_UP = SHAPES[1]

type Shape = Pick<Load, 'concurrency' | 'count' | 'seconds'>
type Measurement = Sample & { readonly cpu: number }

const say = (line: string) => process.stdout.write(`${line}\n`)

async function main(): Promise<void> {
  say('Start to ready and idle memory …')
  const start = await measureStart(ROUNDS)
  const field = await startField()
  const generator = fork(join(import.meta.dirname, 'load.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    const load = async (order: Load): Promise<Sample> => {
      const answer = once(generator, 'message')
      generator.send(order)
      const [sample] = await answer
      return sample as Sample
    }
    const rows = await compare(field.contenders, load)
    say('Forward-auth …')
    const forward = await measureForwardAuth(ROUNDS)
    writeReport({
      rows,
      forward,
      start,
      absent: field.absent,
      rounds: ROUNDS,
      warmUp: WARM_UP_ROUNDS * WARM_UP.count,
      say,
    })
  } finally {
    generator.kill()
    await field.stop()
  }
}

async function compare(contenders: readonly Contender[], load: (order: Load) => Promise<Sample>): Promise<Row[]> {
  const measured = new Map<string, Measurement[]>()
  say('Warming up …')
  for (let round = 1; round <= WARM_UP_ROUNDS; round++)
    for (const contender of contenders) await measure(contender, WARM_UP, load)
  for (let round = 1; round <= ROUNDS; round++) {
    say(`Round ${round} of ${ROUNDS} …`)
    for (const shape of SHAPES)
      for (const contender of contenders) {
        const key = `${contender.name} ${shape.concurrency}`
        measured.set(key, [...(measured.get(key) ?? []), await measure(contender, shape, load)])
      }
  }
  const at = (name: string, concurrency: number) => measured.get(`${name} ${concurrency}`) ?? []
  return contenders.flatMap(({ name }) =>
    SHAPES.map(({ concurrency }) => row(name, concurrency, at(name, concurrency))),
  )
}

async function measure(
  { name, url, headers, processes }: Contender,
  shape: Shape,
  load: (order: Load) => Promise<Sample>,
): Promise<Measurement> {
  const used = async () =>
    (await Promise.all(processes.map((one) => one.usage()))).reduce((sum, { cpu }) => sum + cpu, 0)
  const before = await used()
  const sample = await load({ url, headers, body: CALL, ...shape })
  const cpu = ((await used()) - before) / sample.answered
  if (sample.failed > 0)
    throw new Error(`${name}: ${sample.failed} of ${sample.answered} calls were not answered with a result.`)
  return { ...sample, cpu }
}

const row = (name: string, concurrency: number, all: readonly Measurement[]): Row => ({
  name,
  concurrency,
  cpu: median(all.map((one) => one.cpu)),
  rounds: all.map((one) => one.cpu),
  p50: median(all.map((one) => one.p50)),
  p99: median(all.map((one) => one.p99)),
  perSecond: median(all.map((one) => one.perSecond)),
})

await main()
