// `npm run bench:policy`: what a decision costs, and that it costs the same with ten rules and with ten thousand. Sizes take turns in
// each round, so that what else the machine does meets all of them; medians are told. A missed budget is told and is no failure.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { policy } from '../src/config/policy.ts'
import { servers } from '../src/config/servers.ts'
import { createPolicy } from '../src/policy/create.ts'
import type { Policy } from '../src/policy/policy.ts'
import { compileCondition } from '../src/protocol/condition/compile.ts'
import type { Call } from '../src/protocol/decision.ts'
import { ANONYMOUS, type Principal } from '../src/protocol/principal.ts'
import { machine, median } from './report.ts'

const SIZES = [10, 100, 1000, 10_000] as const
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
const TURNS = 40_000
const SERVERS = 50

const ann: Principal = {
  ...ANONYMOUS,
  kind: 'person',
  subject: 'u1',
  email: 'ann@example.com',
  method: 'access_token',
  groups: ['g3', 'g7', 'finance'],
}
const call = (name: string): Call => ({
  principal: ann,
  server: 's1',
  method: 'tools/call',
  kind: 'tool',
  name,
  args: { amount: 900, currency: 'EUR', to: { bank: 'x' } },
  request: { address: '192.0.2.1', at: 0, era: 'modern' },
})
/** The hot ones are there at every size: the rules around them are what grows. */
const CONDITION = 'args.amount <= 1000 && args.currency in ["EUR", "USD"] && principal.email.endsWith("@example.com")'
const HOT = [
  { allow: ['s1/pay'], to: ['group:finance'] },
  { allow: ['s1/transfer'], to: ['group:finance'], when: CONDITION },
  { deny: ['*/delete_*'], to: ['*'] },
]

interface Work {
  readonly name: string
  readonly conditions: boolean
  readonly budget: number | undefined
  run(policy: Policy): unknown
}
const works: readonly Work[] = [
  { name: 'decide, plain rules', conditions: false, budget: 3, run: ({ decide }) => decide(call('pay')) },
  { name: 'decide, a condition', conditions: true, budget: 15, run: ({ decide }) => decide(call('transfer')) },
  {
    name: 'couldAllow, a condition',
    conditions: true,
    budget: 15,
    run: ({ couldAllow }) => couldAllow(call('transfer')),
  },
  { name: 'decide, no rule', conditions: true, budget: 3, run: ({ decide }) => decide(call('nothing')) },
  { name: 'view', conditions: true, budget: undefined, run: ({ view }) => view(ann, 's1') },
  {
    name: 'argumentsRead',
    conditions: true,
    budget: undefined,
    run: ({ argumentsRead }) => argumentsRead(call('transfer')),
  },
]

function build(size: number, conditions: boolean): Policy {
  const others = Array.from({ length: size - HOT.length }, (_, at) => ({
    allow: [`s${at % SERVERS}/tool_${at}`],
    to: [`group:g${at % 20}`],
    ...(conditions && { when: `args.amount <= ${at % 500}` }),
  }))
  return createPolicy(
    {
      policy: policy.parse({ rules: [...others, ...HOT] }),
      roles: {},
      servers: servers.parse(
        Array.from({ length: SERVERS }, (_, at) => ({ id: `s${at}`, url: 'http://127.0.0.1:1/mcp' })),
      ),
    },
    { compile: compileCondition },
  )
}

function measure(work: Work, built: Policy): number {
  const from = process.cpuUsage()
  for (let turn = 0; turn < TURNS; turn++) work.run(built)
  const { user, system } = process.cpuUsage(from)
  return (user + system) / TURNS
}

const policies = new Map([false, true].map((kind) => [kind, SIZES.map((size) => build(size, kind))]))
const samples = works.map(() => SIZES.map((): number[] => []))
for (let round = 0; round <= ROUNDS; round++)
  for (const [row, work] of works.entries())
    for (const [column, built] of (policies.get(work.conditions) ?? []).entries()) {
      const micros = measure(work, built)
      // The first round warms up.
      if (round > 0) samples[row]?.[column]?.push(micros)
    }

const rows = works.map(({ name, budget }, row) => {
  const medians = (samples[row] ?? []).map(median)
  const growth = Math.max(...medians) / (medians[0] ?? Number.NaN)
  const kept = budget === undefined || Math.max(...medians) <= budget
  const limit = budget === undefined ? '' : `≤ ${budget} µs${kept ? '' : ', missed'}`
  return `| ${name} | ${medians.map((value) => value.toFixed(2)).join(' | ')} | ${growth.toFixed(2)} × | ${limit} |`
})
const about = machine()
const text = [
  '# Decisions',
  '',
  `Microseconds of CPU a decision, by the number of rules. ${about.processor}, ${about.system}, ${about.date.slice(0, 10)}, commit ${about.commit.slice(0, 7)}.`,
  'Growth is the dearest size against ten rules; the budget is 1.3 ×.',
  '',
  `| | ${SIZES.join(' | ')} | growth | budget |`,
  `|---|${SIZES.map(() => '---:|').join('')}---:|---|`,
  ...rows,
  '',
  `The condition is \`${CONDITION}\`.`,
  '',
].join('\n')
process.stdout.write(text)
writeFileSync(join(import.meta.dirname, 'results', 'policy.md'), text)
