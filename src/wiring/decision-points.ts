// Decision points outside, asked over HTTP.
import type { Config } from '../config/schema.ts'
import { outboundFetch, type Resolve } from '../http/outbound.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { rarely } from '../observe/rarely.ts'
import type { AskOutside } from '../policy/consult.ts'
import { createAskOutside } from '../policy/outside.ts'
import type { Clock } from '../protocol/clock.ts'

/** Far above any answer of one word. */
const LARGEST = 64 * 1024
const TOLD = { every: 60_000, most: 100 }

interface Needs {
  readonly config: Pick<Config, 'policy'>
  readonly clock: Clock
  readonly log: Pick<Log, 'error'>
  readonly metrics: Pick<Metrics, 'decisionPoint'>
  readonly resolve: Resolve
}

export function openDecisionPoints({ config, clock, log, metrics, resolve }: Needs): AskOutside {
  const isTime = rarely({ ...TOLD, clock })
  const points = config.policy.decisionPoints
  return createAskOutside({
    points,
    postTo: ({ timeout }) =>
      outboundFetch({ allowLoopback: true, configured: true, maxBytes: LARGEST, timeout, resolve }),
    clock,
    onAnswer(point, answer, error) {
      metrics.decisionPoint(point, answer)
      if (error !== undefined && isTime(`${point} ${answer}`))
        log.error({ point, reason: answer, error }, 'a decision point does not answer: no')
    },
  })
}
