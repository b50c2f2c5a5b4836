// Policy from the configuration: compiled and indexed once, then asked for every call and every list.
import type { Config } from '../config/schema.ts'
import { decide } from './decide.ts'
import type { Policy } from './policy.ts'
import { narrowed, reachesAll } from './reach.ts'
import { bucketsFor, indexRules } from './rule-index.ts'
import { compileRules } from './rules.ts'
import { viewOf } from './view.ts'

/** Throws OperatorError for rules that cannot be kept as written. */
export function createPolicy(config: Pick<Config, 'policy' | 'roles' | 'servers'>): Policy {
  const index = indexRules(
    compileRules(config.policy, config.roles),
    config.servers.map(({ id }) => id),
  )
  return {
    decide: (call) => narrowed(decide(index, call), call),
    couldAllow: (call) => narrowed(decide(index, call), call),
    reads: () => ({ args: false, tool: false }),
    argumentsRead: () => undefined,
    consult: () => undefined,
    version: '',
    view(principal, server) {
      const layers = index.layersOf(server)
      const view = viewOf(bucketsFor(layers, 'allow', principal), bucketsFor(layers, 'deny', principal))
      return view !== 'all' || principal.reach === undefined || reachesAll(principal.reach, server) ? view : 'some'
    },
  }
}
