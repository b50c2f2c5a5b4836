// Limits: how often, how much and how many at once. Asked after policy's yes and before anything leaves for a server.
import type { LimitConfig } from '../config/limits.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Call } from '../protocol/decision.ts'
import { RpcError } from '../protocol/errors.ts'
import { RPC } from '../protocol/mcp.ts'
import { isOneOf, keyMaker, matcherOf, type Thing } from './limits-match.ts'
import { type Measure, measureQuota, measureRate } from './limits-measure.ts'
import { type LimitReason, type Meter, ownMeter, runningMeter } from './limits-meter.ts'
import { type Exchange, sharedMeter } from './limits-shared.ts'
import { parseSubjects } from './subject.ts'

export interface LimitRefusal {
  readonly reason: LimitReason
  /** Id of the limit. */
  readonly limit: string
  /** Seconds, whole, at least one. */
  readonly retryAfter: number
}

/** To be called once, when the call has ended; or why it may not be made now. */
export type Admission = (() => void) | LimitRefusal

export interface Limits {
  /**
   * All limits that speak of the call must hold; one that does not takes nothing from the others. `behind` is what a virtual server
   * calls in the end: a limit that speaks of either name counts the call once. A promise only where the store must be waited for.
   */
  admit(call: Call, behind?: Thing): Admission | Promise<Admission>
}

interface Needs {
  readonly clock: Clock
  /** For what outlives this process or is counted with others. */
  readonly exchange: Exchange
  /** Several replicas count their rates together. */
  readonly shared: boolean
  /** More callers at once than are counted one by one. */
  onCrowded(limit: string): void
}

interface Limit {
  readonly id: string
  concerns(server: string): boolean
  /** Under which of its names it speaks of the call, if it does. */
  findThing(call: Call, behind: Thing | undefined): Thing | undefined
  keyOf(call: Call, thing: Thing): string
  readonly meters: readonly Meter[]
}

interface Step {
  readonly limit: string
  readonly meter: Meter
  readonly key: string
}

const NOTHING_TO_END = (): void => undefined

/** Throws OperatorError for a limit that cannot mean what it says. */
export function createLimits(config: Pick<Config, 'limits' | 'roles' | 'servers'>, needs: Needs): Limits {
  const limits = config.limits.map((limit, index) => compileLimit(limit, index, config.roles, needs))
  if (limits.length === 0) return { admit: () => NOTHING_TO_END }
  const { clock } = needs
  const byServer = new Map(config.servers.map(({ id }) => [id, limits.filter((limit) => limit.concerns(id))]))

  function stepsOf(call: Call, behind: Thing | undefined): Step[] {
    const steps: Step[] = []
    const about = behind === undefined ? (byServer.get(call.server) ?? limits) : limits
    for (const { id, findThing, keyOf, meters } of about) {
      const thing = findThing(call, behind)
      if (thing === undefined) continue
      const key = keyOf(call, thing)
      for (const meter of meters) steps.push({ limit: id, meter, key })
    }
    return steps
  }

  function proceed(steps: readonly Step[], from: number): Admission | Promise<Admission> {
    for (let at = from; at < steps.length; at++) {
      const { meter, key } = steps[at] as Step
      const wait = meter.take(key, clock())
      if (wait instanceof Promise)
        return wait.then((later) => (later === 0 ? proceed(steps, at + 1) : refuse(steps, at, later)))
      if (wait > 0) return refuse(steps, at, wait)
    }
    return () => {
      for (const { meter, key } of steps) meter.end(key)
    }
  }

  function refuse(steps: readonly Step[], at: number, wait: number): LimitRefusal {
    const { limit, meter } = steps[at] as Step
    for (const taken of steps.slice(0, at)) taken.meter.giveBack(taken.key, clock())
    return { limit, reason: meter.reason, retryAfter: Math.max(1, Math.ceil(wait / 1000)) }
  }

  return {
    admit(call, behind) {
      const steps = stepsOf(call, behind)
      return steps.length === 0 ? NOTHING_TO_END : proceed(steps, 0)
    },
  }
}

function compileLimit(config: LimitConfig, index: number, roles: Config['roles'], needs: Needs): Limit {
  const where = `limits.${index}`
  const { concerns, matches } = matcherOf(config.match, where)
  const subjects = parseSubjects(config.to, roles, where)
  return {
    id: config.id,
    concerns,
    findThing(call, behind) {
      if (!isOneOf(subjects, call.principal)) return undefined
      if (behind !== undefined && matches(behind, call.method)) return behind
      return matches(call, call.method) ? call : undefined
    },
    keyOf: keyMaker(config.per),
    meters: metersOf(config, needs),
  }
}

/** Those that nothing is lost by come first. */
function metersOf({ id, rate, burst, quota, concurrent }: LimitConfig, needs: Needs): readonly Meter[] {
  const onCrowded = () => needs.onCrowded(id)
  const { exchange, clock } = needs
  const together = (measure: Measure, kind: string) =>
    sharedMeter({ measure, name: [id, kind], exchange, clock, onCrowded })
  const meters: Meter[] = []
  if (concurrent !== undefined) meters.push(runningMeter(concurrent))
  if (rate !== undefined) {
    const measure = measureRate(rate, burst)
    meters.push(needs.shared ? together(measure, 'rate') : ownMeter(measure, onCrowded))
  }
  // A restart is no new day: in the store also where there is one process only.
  if (quota !== undefined) meters.push(together(measureQuota(quota), `quota ${quota.window}`))
  return meters
}

const WORDS: ReadonlyMap<string, string> = new Map<LimitReason, string>([
  ['rate_limited', 'Too many calls.'],
  ['quota_exhausted', 'The quota is used up.'],
  ['too_many_running', 'Too many calls are under way.'],
])

export const limitWords = (reason: string, retryAfter: number): string =>
  `${WORDS.get(reason) ?? ''} Try again in ${retryAfter} ${retryAfter === 1 ? 'second' : 'seconds'}.`

/**
 * The refusal as an MCP client is told it. MCP 2026-07-28, Error codes: an implementation's own codes lie outside the range that JSON-RPC
 * reserves, which earlier revisions permit as well; the number is that of HTTP.
 */
export function limitError(reason: string, retryAfter: number): RpcError {
  const message = limitWords(reason, retryAfter)
  return new RpcError(RPC.tooManyRequests, reason, message, { status: 429, data: { retryAfter }, retryAfter })
}
