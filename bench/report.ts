// The table, the budgets and their verdicts; written for people (latest.md) and for comparison over time (JSON).
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Start } from './startup.ts'

export interface Row {
  readonly name: string
  readonly concurrency: number
  /** Microseconds of CPU a request: the median, and each round's. */
  readonly cpu: number
  readonly rounds: readonly number[]
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
}

interface Report {
  readonly rows: readonly Row[]
  /** Forward-auth and the bare server that answers the same. */
  readonly forward: readonly Row[]
  readonly start: Start
  readonly absent: readonly string[]
  readonly rounds: number
  /** Calls before the measured rounds, each contender. */
  readonly warmUp: number
  say(text: string): void
}

interface Verdict {
  readonly what: string
  readonly budget: string
  readonly measured: string
  readonly kept: boolean
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export function writeReport({ rows, forward, start, absent, rounds, warmUp, say }: Report): void {
  const about = { ...machine(), rounds, warmUp }
  const verdicts = [...judge(rows, start), ...judgeForwardAuth(forward)]
  const text = page({ rows, forward, verdicts, about, absent })
  say(text)
  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const record = JSON.stringify({ ...about, rows, forward, start, verdicts, absent }, null, 2)
  writeFileSync(join(folder, `${about.date.slice(0, 10)}-${about.commit.slice(0, 7)}.json`), `${record}\n`)
  writeFileSync(join(folder, 'latest.md'), text)
}

function judge(rows: readonly Row[], start: Start): Verdict[] {
  const get = (name: string, concurrency: number) => {
    const row = rows.find((one) => one.name === name && one.concurrency === concurrency)
    if (!row) throw new TypeError(`No row ${name} at ${concurrency}`)
    return row
  }
  const ratio = compare(get('Portcullis', 16), get('pass-through', 16))
  const added = get('Portcullis', 1).p50 - get('direct', 1).p50
  const rss = start.idleRss / 2 ** 20
  return [
    verdictOf('CPU of a call, against the pass-through, 16 at a time', ratio, 1.6),
    verdict('p50 added to a direct call, one at a time', added, 0.5, (value) => `${value.toFixed(2)} ms`),
    verdict('start to ready, SQLite', start.readyMs / 1000, 1.5, (value) => `${value.toFixed(2)} s`),
    verdict('memory (RSS) when idle', rss, 150, (value) => `${value.toFixed(0)} MB`),
  ]
}

function judgeForwardAuth([bare, warm]: readonly Row[]): Verdict[] {
  if (bare === undefined || warm === undefined) throw new TypeError('No rows of forward-auth')
  return [verdictOf('CPU of a forward-auth decision, warm, against a bare 200', compare(warm, bare), 1.5)]
}

interface Ratio {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

/** Round by round: what else the machine does meets neighbours alike, and changes from one round to the next. */
function compare(one: Row, other: Row): Ratio {
  const ratios = one.rounds.map((cpu, round) => cpu / (other.rounds[round] ?? Number.NaN))
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) }
}

const times = (value: number): string => `${value.toFixed(2)} ×`

function verdictOf(what: string, { median, lowest, highest }: Ratio, budget: number): Verdict {
  const judged = verdict(what, median, budget, times)
  return { ...judged, measured: `${judged.measured} (rounds: ${lowest.toFixed(2)} to ${highest.toFixed(2)})` }
}

function verdict(what: string, measured: number, budget: number, write: (value: number) => string): Verdict {
  return { what, budget: `≤ ${write(budget)}`, measured: write(measured), kept: measured <= budget }
}

export function machine() {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  const dirty = git('status', '--porcelain') === '' ? '' : ' with uncommitted changes'
  return {
    date: new Date().toISOString(),
    commit: `${git('rev-parse', 'HEAD')}${dirty}`,
    processor: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    system: `Linux ${release()}, Node ${process.version}`,
  }
}

interface Page {
  readonly rows: readonly Row[]
  readonly forward: readonly Row[]
  readonly verdicts: readonly Verdict[]
  readonly about: ReturnType<typeof machine> & { readonly rounds: number; readonly warmUp: number }
  readonly absent: readonly string[]
}

const page = ({ rows, forward, verdicts, about, absent }: Page) => `# Numbers in the open

One run on one machine: the same 2 KB \`tools/call\` to the same upstream, straight and through each gate. Every contender is
warmed up with ${about.warmUp.toLocaleString('en')} calls; then ${about.rounds} interleaved rounds, medians (of a ratio that has a budget: the
median of the ratios in each round). CPU is that of the gate's own processes, all
threads. *Portcullis* authenticates, authorizes and records every call; *pass-through* is node:http with undici, hands on the head's
fields and the body both ways, and does nothing else; *body alone* drops the fields, without which no MCP server of 2026-07-28 takes a
call; nginx keeps no log here, and *auth_request* asks a service that always says yes, *asking Portcullis* the
gate's forward-auth, which records it (their CPU counted too).
Absolute figures are this machine's; read ratios.

| | at a time | CPU µs a call | p50 ms | p99 ms | calls a second |
|---|---|---|---|---|---|
${rows.map(tableRow).join('\n')}

Forward-auth (a GET as Traefik asks, recorded) beside node:http that answers the same fields; *warm* shows one token over and over, *cold* a
new one with every request.

| | at a time | CPU µs a request | p50 ms | p99 ms | requests a second |
|---|---|---|---|---|---|
${forward.map(tableRow).join('\n')}

| budget | allowed | measured | |
|---|---|---|---|
${verdicts.map(({ what, budget, measured, kept }) => `| ${what} | ${budget} | ${measured} | ${kept ? 'kept' : '**missed**'} |`).join('\n')}
${absent.map((line) => `\n${line}.`).join('')}
${about.date.slice(0, 10)}, commit ${about.commit}; ${about.processor}, ${about.memory}, ${about.system}.
\`npm run bench\` repeats it.
`

const tableRow = ({ name, concurrency, cpu, p50, p99, perSecond }: Row) =>
  `| ${name} | ${concurrency} | ${cpu.toFixed(0)} | ${p50.toFixed(2)} | ${p99.toFixed(2)} | ${Math.round(perSecond)} |`
