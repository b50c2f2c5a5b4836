// `portcullis policy test`: expected decisions beside those of the configuration. Ends with 1 where they differ.
import { readFileSync } from 'node:fs'
import { printable } from '../audit/tail.ts'
import type { Config } from '../config/schema.ts'
import { createPolicy } from '../policy/create.ts'
import type { Policy } from '../policy/policy.ts'
import { resolveRoles } from '../policy/roles.ts'
import { createScopeGate, type ScopeGate } from '../policy/scopes.ts'
import { type Judged, tryCall } from '../policy/trial.ts'
import type { Call, TargetKind } from '../protocol/decision.ts'
import { OperatorError } from '../protocol/errors.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { loadConditions } from '../wiring/conditions.ts'
import { type Common, loadFor } from './options.ts'
import { type PolicyCase, readCases } from './policy-cases.ts'
import { findRule } from './rule-place.ts'

export async function testPolicy(path: string, options: Common): Promise<void> {
  const loaded = await loadFor(options)
  const cases = readCases(textOf(path), path, process.env)
  const judge = await judging(loaded.config)
  let failed = 0
  say(`1..${cases.length}`)
  for (const [at, one] of cases.entries()) {
    const judged = judge(one)
    const differences = differencesOf(one, judged)
    if (differences.length > 0) failed++
    say(`${differences.length > 0 ? 'not ok' : 'ok'} ${at + 1} - ${one.name ?? describe(one)} (${one.place})`)
    const placed = judged.decision.rule === undefined ? undefined : findRule(loaded, judged.decision.rule)
    const rule = placed === undefined ? [] : [`${placed.id}, ${placed.place}: ${placed.text}`]
    if (differences.length > 0) for (const line of [...differences, ...rule]) say(`  # ${line}`)
  }
  say(`# ${cases.length - failed} as expected, ${failed} not`)
  if (failed > 0) process.exitCode = 1
}

/** Throws OperatorError for a case that leaves a doubt. */
async function judging(config: Config): Promise<(one: PolicyCase) => Judged> {
  const policy: Policy = createPolicy(config, { compile: await loadConditions(config) })
  const scopes: ScopeGate = createScopeGate({ scopes: config.scopes, requiredScopes: config.oauth.requiredScopes })
  return (one) => {
    const [, server = '', name = ''] = /^([^/]+)\/(.*)$/s.exec(one.call.behind ?? '') ?? []
    try {
      const behind = one.call.behind === undefined ? undefined : { server, name }
      return tryCall({ policy, scopes, servers: config.servers }, callOf(one, config), behind)
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause
      throw new OperatorError(`${one.place}: ${cause.message}. Write behind: server/name.`, { cause })
    }
  }
}

const METHODS: Readonly<Record<string, string>> = {
  tool: 'tools/call',
  prompt: 'prompts/get',
  resource: 'resources/read',
}

function callOf({ who, call }: PolicyCase, config: Config): Call {
  const kinds: readonly TargetKind[] = ['tool', 'prompt', 'resource', 'method']
  const kind = kinds.find((one) => call[one] !== undefined) ?? 'method'
  const name = call[kind] ?? ''
  const { address, time, era } = call.request
  const points = config.policy.rules.flatMap(({ id, consult }) =>
    consult === undefined ? [] : [[id, call.answers[consult] === true] as const],
  )
  return {
    principal: principalOf(who, config.roles),
    server: call.server,
    method: METHODS[kind] ?? name,
    kind,
    name,
    args: call.args,
    tool: call.definition,
    request: { address, at: Date.parse(time), era },
    answers: new Map(points),
  }
}

function principalOf(who: PolicyCase['who'], roles: Config['roles']): Principal {
  if (who.anonymous) return ANONYMOUS
  const { user = 'somebody', groups, teams, client, kind, method, issuer, scopes, reach, claims } = who
  const email = who.email ?? (user.includes('@') ? user.toLowerCase() : undefined)
  const known = { id: user, email, emailVerified: true, groups, teams, roles: who.roles }
  return {
    ...ANONYMOUS,
    kind,
    subject: user,
    identity: user,
    email,
    name: who.name,
    groups,
    roles: resolveRoles(known, roles),
    teams,
    client,
    issuer,
    claims,
    method,
    reach,
    scopes: scopes ?? [],
    // Who names none asks what the rules say; who names some asks for both.
    scopeRule: scopes === undefined ? 'none' : 'covers',
    tokenId: who.token,
    family: who.token,
  }
}

function differencesOf({ expect, rule, reason }: PolicyCase, { decision, listed }: Judged): readonly string[] {
  const { effect } = decision
  const found = expect === 'allow' || expect === 'deny' ? effect : listed ? 'listed' : 'hidden'
  const by = decision.rule === undefined ? '' : ` by ${decision.rule}`
  return [
    ...(found === expect ? [] : [`expected ${expect}, got ${found}: ${decision.reason}${by}`]),
    ...(rule === undefined || rule === decision.rule
      ? []
      : [`expected the rule ${rule}, got ${decision.rule ?? 'none'}`]),
    ...(reason === undefined || reason === decision.reason
      ? []
      : [`expected the reason ${reason}, got ${decision.reason}`]),
  ]
}

function describe({ who, call, expect }: PolicyCase): string {
  const caller = who.anonymous
    ? 'anonymous'
    : [who.user ?? who.email, ...who.groups, ...who.roles].filter(Boolean).join(' ')
  const name = call.tool ?? call.prompt ?? call.resource ?? call.method ?? ''
  return `${caller || 'somebody'} ${expect} ${call.server}/${name}`
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new OperatorError(`Cannot read the cases ${path}. Name a file of cases.`, { cause })
  }
}

const say = (line: string): void => void process.stdout.write(`${printable(line)}\n`)
