// Policy from the configuration: compiled and indexed once, then asked for every call and every list.
import { createHash } from 'node:crypto'
import type { Config } from '../config/schema.ts'
import type { CompileCondition } from '../protocol/condition/language.ts'
import { refillMeter } from '../protocol/condition/meter.ts'
import type { Call, Decision } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import { claimedAccess } from './access.ts'
import { readArguments } from './arguments.ts'
import { confined } from './capabilities.ts'
import { type AskOutside, consulting } from './consult.ts'
import { decide, findDenial, type Rulebook, viewFor } from './decide.ts'
import { conditionalRules } from './match.ts'
import type { Ranked } from './name-index.ts'
import { perPrincipal } from './per-principal.ts'
import type { Policy } from './policy.ts'
import { narrowed, reachesAll } from './reach.ts'
import { indexRules } from './rule-index.ts'
import { compileRules } from './rules.ts'
import { isView } from './shown-name.ts'

type Configured = Pick<Config, 'policy' | 'roles' | 'servers'>

export interface PolicyNeeds {
  /** The language of conditions, where rules have some. */
  readonly compile?: CompileCondition | undefined
  /** Decision points outside; without it their answer is no. */
  readonly ask?: AskOutside | undefined
}

/** Throws OperatorError for rules that cannot be kept as written. */
export function createPolicy(config: Configured, needs: PolicyNeeds = {}): Policy {
  const { servers } = config
  const index = indexRules(
    compileRules(config.policy, config.roles, needs.compile),
    servers.map(({ id }) => id),
  )
  const names = new Map(servers.map(({ id, name }) => [id, name ?? id]))
  const nameOf = (server: string) => names.get(server) ?? server
  const book: Rulebook = { index, access: claimedAccess(config.policy.resourceAccess?.claim, nameOf) }
  // A view over others shows less than its own rules say: what is denied underneath is filtered.
  const views = new Set(servers.filter(isView).map(({ id }) => id))

  function judged(call: Call, knowing: 'call' | 'thing', underlying?: Call): Decision {
    refillMeter()
    const denial = underlying && findDenial(book, underlying, knowing)
    const decision = denial ?? decide(book, call, knowing)
    const within = confined(
      decision,
      underlying ?? call,
      [call, underlying ?? call].map(({ server }) => nameOf(server)),
    )
    return narrowed(within, call)
  }

  const conditionsOf = (call: Call): readonly Ranked[] =>
    conditionalRules(
      index.layersOf(call.server).map(({ conditions }) => conditions),
      call.kind,
      call.name,
    )
  const consult = consulting({
    ask: needs.ask ?? (async () => false),
    askedFor: (call) => conditionsOf(call).filter(({ rule }) => rule.consult !== undefined),
    decide: (call) => judged(call, 'call'),
  })

  function viewFrom(server: string, principal: Principal): 'all' | 'some' | 'none' {
    refillMeter()
    const view = viewFor(book, { principal, server, kind: 'method', method: 'ping', name: 'ping' })
    if (view !== 'all') return view
    const whole = principal.reach === undefined || reachesAll(principal.reach, server)
    return whole && principal.capabilities === undefined && !views.has(server) ? 'all' : 'some'
  }
  const remembered = perPrincipal(viewFrom)

  return {
    decide: (call) => judged(call, 'call'),
    couldAllow: (call) => judged(call, 'thing'),
    decideThrough: (call, underlying) => judged(call, 'call', underlying),
    couldAllowThrough: (call, underlying) => judged(call, 'thing', underlying),
    reads: (server) => index.readsOf(server),
    argumentsRead: (call) =>
      readArguments(
        call.args ?? {},
        conditionsOf(call).flatMap(({ rule }) => [
          ...(rule.when?.reads.args ?? []),
          ...(rule.unless?.reads.args ?? []),
        ]),
      ),
    consult,
    version: versionOf(config),
    view: (principal, server) => (names.has(server) ? remembered : viewFrom)(server, principal),
  }
}

function versionOf({ policy: { rules, resourceAccess }, roles }: Configured): string {
  return createHash('sha256').update(JSON.stringify({ rules, resourceAccess, roles })).digest('hex').slice(0, 16)
}
