// `portcullis policy replay`: decisions of the record made again by another configuration, beside a running gate.

import type { CallEvent } from '../audit/event.ts'
import { readSince } from '../audit/span.ts'
import { printable } from '../audit/tail.ts'
import type { Config } from '../config/schema.ts'
import { optionalDuration } from '../config/units.ts'
import { createPolicy } from '../policy/create.ts'
import {
  createTally,
  type Difference,
  type PersonDifferences,
  type Replayed,
  type ReplayReport,
} from '../policy/replay.ts'
import { compileRules, type Rule } from '../policy/rules.ts'
import { mayOpen, type Verdict, type WeighedRules, weighCall } from '../policy/weigh.ts'
import { OperatorError } from '../protocol/errors.ts'
import { loadConditions } from '../wiring/conditions.ts'
import { withStore } from './configuration.ts'
import { type Common, loadFor } from './options.ts'
import { callerOf, isDecidedByRules, type MadeBy, recall, type Surroundings } from './recorded-call.ts'

export interface ReplayOptions extends Common {
  readonly since: string
  readonly with: string
  readonly json: boolean
}

const PROGRESS = 100_000

export function replay({ since, with: file, json, ...options }: ReplayOptions): Promise<void> {
  const from = momentOf(since, Date.now())
  return withStore(options, async ({ records }, { config }) => {
    if (!config.audit.sink.includes('store'))
      throw new OperatorError('audit.sink does not name `store`, so there is nothing to read here.')
    const { config: other } = await loadFor({ ...options, config: file })
    const decideAgain = await decider(config, other)
    const tally = createTally()
    let read = 0
    for await (const event of readSince(records, from)) {
      if (++read % PROGRESS === 0) process.stderr.write(`${read} records read, at ${event.time}\n`)
      if (event.kind !== 'call') continue
      if (isDecidedByRules(event)) tally.add(decideAgain(event))
      else tally.addApart()
    }
    const report = tally.report()
    process.stdout.write(
      json
        ? `${JSON.stringify({ since: new Date(from).toISOString(), ...report }, undefined, 2)}\n`
        : reportText(report),
    )
  })
}

/** How one configuration sees what was decided by another. */
export async function decider(config: Config, other: Config): Promise<(event: CallEvent) => Replayed> {
  const around: Surroundings = { madeBy: await madeBy(config), roles: other.roles, servers: other.servers }
  const book = weighedRules(other, await rulesOf(other))
  const gone = new Set(
    config.servers.map(({ id }) => id).filter((id) => !other.servers.some((server) => server.id === id)),
  )
  return (event) => {
    const { id, time, subject, email, server, via, method, name, decision } = event
    const what = `${via === undefined ? '' : `${via}: `}${server}/${name ?? method}`
    return { id, time, person: email ?? subject, what, effect: decision, verdict: verdictOf(event) }
  }

  function verdictOf(event: CallEvent): Verdict {
    if ([event.server, event.via].some((id) => id !== undefined && gone.has(id))) return NOT_THERE
    // At the aggregate it is not known which server was meant.
    const hidden = event.reason === 'unknown_server' && event.via === undefined && event.by === undefined
    if (hidden && !mayOpen(book, callerOf(event, around), event.server)) return NOT_THERE
    const recalled = recall(event, around)
    if ('missing' in recalled) return { effect: 'unknown', rule: undefined, missing: [recalled.missing] }
    return weighCall(book, recalled.call, recalled.underlying)
  }
}

const NOT_THERE: Verdict = { effect: 'deny', rule: undefined, missing: [] }

export async function rulesOf(config: Config): Promise<readonly Rule[]> {
  return compileRules(config.policy, config.roles, await loadConditions(config))
}

export async function madeBy(config: Config): Promise<MadeBy> {
  const { version } = createPolicy(config, { compile: await loadConditions(config) })
  return { version, rules: await rulesOf(config), roles: config.roles }
}

function weighedRules({ policy, servers }: Pick<Config, 'policy' | 'servers'>, rules: readonly Rule[]): WeighedRules {
  const names = new Map(servers.map(({ id, name }) => [id, name ?? id]))
  return { rules, claim: policy.resourceAccess?.claim, nameOf: (server) => names.get(server) ?? server }
}

/** `7d`, or a time in ISO 8601. */
function momentOf(text: string, now: number): number {
  const span = optionalDuration().safeParse(text)
  const moment = span.success && span.data !== undefined ? now - span.data : Date.parse(text)
  if (!Number.isFinite(moment))
    throw new OperatorError(`--since ${text}: write a time such as 12h, 7d or 2026-11-01T08:00:00Z.`)
  return moment
}

function reportText(report: ReplayReport): string {
  const { same, newlyDenied, newlyAllowed, undecidable, apart, people, othersDiffer, missing } = report
  const head = [
    `${same} decisions stay as they were.`,
    `${newlyDenied} calls that were allowed would be refused.`,
    `${newlyAllowed} calls that were refused would be allowed.`,
    `${undecidable} cannot be decided from the record.`,
    `${apart} were not decided by rules (credentials, scopes, limits, malformed messages).`,
  ]
  const differing = people.flatMap(personLines)
  const others = othersDiffer === 0 ? [] : ['', `${othersDiffer} more differences are those of further people.`]
  const unknown = missing.map(({ what, count, example }) => `  ${count} × ${what}, such as ${example}`)
  const undecided = unknown.length === 0 ? [] : ['', 'Not known:', ...unknown]
  return `${[...head, ...differing, ...others, ...undecided].map(printable).join('\n')}\n`
}

function personLines({ person, newlyDenied, newlyAllowed }: PersonDifferences): string[] {
  return [
    '',
    person,
    ...differenceLines('newly denied', newlyDenied),
    ...differenceLines('newly allowed', newlyAllowed),
  ]
}

function differenceLines(words: string, { count, examples }: Difference): string[] {
  if (count === 0) return []
  const lines = examples.map(
    ({ id, time, what, rule }) =>
      `    ${time}  ${what}  ${rule === undefined ? 'no rule allows' : `by ${rule}`}  ${id}`,
  )
  return [`  ${words}: ${count}`, ...lines]
}
