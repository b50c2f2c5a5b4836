// What rules, scopes, limits and virtual servers say that nobody will ever notice: found from the configuration alone.
import { type Condition, type Facts, UNKNOWN } from '../protocol/condition/language.ts'
import { refillMeter } from '../protocol/condition/meter.ts'
import { type Finding, isNowhere, knownServers, type Linted, type Needs } from './lint-finding.ts'
import { idleLimits, idlePicks, idleRoles, idleScopes } from './lint-settings.ts'
import { mayOverlap, subjectCovers, targetCovers, targetsOverlap } from './overlap.ts'
import { isConditional, type Rule } from './rules.ts'
import { isView } from './shown-name.ts'
import type { Target } from './target.ts'

export function lintPolicy(needs: Needs): readonly Finding[] {
  const { rules } = needs
  return [
    ...rules.flatMap((rule, index) => [
      ...unknownServers(needs, rule, index),
      ...unknownTools(needs, rule, index),
      ...closedToAnonymous(needs, rule, index),
      ...constantConditions(rule, index),
      ...shadowed(rules, rule, index),
      ...idleDeny(needs, rule, index),
    ]),
    ...idleRoles(needs),
    ...idleScopes(needs),
    ...idleLimits(needs),
    ...idlePicks(needs),
  ]
}

const at = (index: number, ...more: (string | number)[]) => ['policy', 'rules', index, ...more]

function unknownServers({ config }: Needs, rule: Rule, index: number): Finding[] {
  const known = knownServers(config)
  const nowhere = rule.targets.filter((target) => isNowhere(target, known))
  return textsOf(nowhere).map((text) => ({
    at: at(index, rule.effect),
    kind: 'unknown_server',
    rule: rule.id,
    message: `"${text}" names no server that there is.`,
    remedy: `Servers are ${known?.join(', ')}. Correct the id, or take the target out.`,
  }))
}

function unknownTools({ seen, config }: Needs, rule: Rule, index: number): Finding[] {
  if (seen === undefined) return []
  const upstreams = config.servers.filter((server) => !isView(server)).map(({ id }) => id)
  const idle = rule.targets.filter(({ kind, server, name }) => {
    const meant = upstreams.filter(server.matches)
    // A server that nobody has listed may have any tool.
    if (kind !== 'tool' || meant.length === 0 || meant.some((id) => !seen.has(id))) return false
    return (
      !config.servers.some((one) => isView(one) && server.matches(one.id)) &&
      !meant.some((id) => [...(seen.get(id) ?? [])].some(name.matches))
    )
  })
  return textsOf(idle).map((text) => ({
    at: at(index, rule.effect),
    kind: 'unknown_tool',
    rule: rule.id,
    message: `"${text}" names no tool that its server has.`,
    remedy: 'Correct the name, or take it out.',
  }))
}

function closedToAnonymous({ config }: Needs, rule: Rule, index: number): Finding[] {
  const open = config.auth.anonymous || config.servers.some(({ auth }) => auth?.anonymous === true)
  if (open || !rule.subjects.some(({ type }) => type === 'anonymous')) return []
  return [
    {
      at: at(index, 'to'),
      kind: 'never_matches',
      rule: rule.id,
      message: 'It is for `anonymous`, and nobody may come without a credential.',
      remedy: 'Set auth.anonymous: true, or take `anonymous` out.',
    },
  ]
}

const NOTHING_KNOWN: Facts = {
  principal: UNKNOWN,
  client: UNKNOWN,
  server: UNKNOWN,
  tool: UNKNOWN,
  args: UNKNOWN,
  request: UNKNOWN,
  resource: UNKNOWN,
}

function constantConditions({ id, when, unless }: Rule, index: number): Finding[] {
  const parts: readonly (readonly [string, Condition | undefined])[] = [
    ['when', when],
    ['unless', unless],
  ]
  return parts.flatMap(([key, condition]) => {
    if (condition === undefined) return []
    refillMeter()
    const outcome = condition.evaluate(NOTHING_KNOWN)
    if (typeof outcome !== 'boolean') return []
    const never = outcome === (key === 'unless')
    return [
      {
        at: at(index, key),
        kind: 'constant_condition',
        rule: id,
        message: `\`${key}\` is always ${outcome}: the rule ${never ? 'never holds' : 'holds as if it were not there'}.`,
        remedy: never ? 'Take the rule out, or correct the condition.' : 'Take the condition out, or correct it.',
      },
    ]
  })
}

/** A rule without a condition that says as much of everybody and everything. */
function coveringOf(rules: readonly Rule[], rule: Rule, effect: Rule['effect']): Rule | undefined {
  return rules.find(
    (other) =>
      other !== rule &&
      other.effect === effect &&
      !isConditional(other) &&
      rule.targets.every((target) => other.targets.some((wide) => targetCovers(wide, target))) &&
      rule.subjects.every((subject) => other.subjects.some((wide) => subjectCovers(wide, subject))),
  )
}

function shadowed(rules: readonly Rule[], rule: Rule, index: number): Finding[] {
  const denied = rule.effect === 'allow' ? coveringOf(rules, rule, 'deny') : undefined
  if (denied !== undefined)
    return [
      {
        at: at(index),
        kind: 'shadowed',
        rule: rule.id,
        message: `It never allows anything: ${denied.id} denies all of it to the same people.`,
        remedy: `Narrow ${denied.id}, or take this rule out.`,
      },
    ]
  const same = coveringOf(rules, rule, rule.effect)
  // Of two that say the same, the first one stays.
  if (same === undefined || (isTwin(rule, same) && rules.indexOf(same) > index)) return []
  return [
    {
      at: at(index),
      kind: 'repeated',
      rule: rule.id,
      message: `It adds nothing: ${same.id} ${same.effect === 'allow' ? 'allows' : 'denies'} all of it to the same people already.`,
      remedy: 'Take it out, or narrow the other one.',
    },
  ]
}

const isTwin = (one: Rule, other: Rule): boolean =>
  !isConditional(one) && coveringOf([other, one], other, one.effect) === one

function idleDeny({ config, rules }: Needs, rule: Rule, index: number): Finding[] {
  // What claims allow is in no rule.
  if (rule.effect !== 'deny' || config.policy.resourceAccess !== undefined) return []
  const allows = rules.filter(({ effect }) => effect === 'allow')
  const touched = rule.targets.some((target) =>
    allows.some(({ targets }) => targets.some((open) => targetsOverlap(open, target))),
  )
  if (touched || isBehindViews(config, rule)) return []
  return [
    {
      at: at(index),
      kind: 'idle_deny',
      rule: rule.id,
      message: 'It denies what no rule allows to anybody.',
      remedy: 'Take it out, or keep it as a guard against a later allow.',
    },
  ]
}

/** Denials of a server hold behind every virtual server that shows it. */
function isBehindViews({ servers }: Linted, { targets }: Rule): boolean {
  const picks = servers.filter(isView).flatMap(({ tools, prompts, resources }) => [...tools, ...prompts, ...resources])
  const sources = picks.map((pick) => (typeof pick === 'string' ? pick : pick.from))
  return sources.some((text) =>
    targets.some(({ server }) => mayOverlap(server.pattern, text.slice(0, text.indexOf('/')))),
  )
}

const textsOf = (targets: readonly Target[]): readonly string[] => [...new Set(targets.map(({ text }) => text))]
