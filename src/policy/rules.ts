// The rules of the configuration, checked and compiled: what they say, ready to be matched.
import type { PolicyConfig, RuleConfig } from '../config/policy.ts'
import type { RolesConfig } from '../config/scopes.ts'
import { OperatorError } from '../protocol/errors.ts'
import { parseSubject, type Subject } from './subject.ts'
import { parseTarget, type Target } from './target.ts'

export interface Rule {
  /** As given, else `rule-N`, counted from 1. */
  readonly id: string
  readonly effect: 'allow' | 'deny'
  readonly targets: readonly Target[]
  readonly subjects: readonly Subject[]
}

/** These always name a tool, prompt or resource, and are decided by that name. */
const NAMING_METHODS = ['tools/call', 'prompts/get', 'resources/read'] as const

/** Throws OperatorError for a rule that cannot mean what it says. */
export function compileRules(policy: PolicyConfig, roles: RolesConfig): readonly Rule[] {
  const members = roleMembers(roles)
  const seen = new Set<string>()
  return policy.rules.map((config, at) => {
    const where = `policy.rules.${at}`
    const id = config.id ?? `rule-${at + 1}`
    if (seen.has(id))
      throw new OperatorError(`${where}: a second rule with the id "${id}". Ids name one rule in log and audit.`)
    seen.add(id)
    return compileRule(config, { id, where, members })
  })
}

function compileRule(
  config: RuleConfig,
  { id, where, members }: { id: string; where: string; members: ReadonlyMap<string, readonly Subject[]> },
): Rule {
  const effect = 'allow' in config ? 'allow' : 'deny'
  const texts = 'allow' in config ? config.allow : config.deny
  const targets = texts.map((text) => checkMethodTarget(parseTarget(text, where), effect, where))
  const subjects = config.to.flatMap((text) => {
    const subject = parseSubject(text, where)
    return subject.type === 'role' ? [subject, ...(members.get(subject.value) ?? [])] : [subject]
  })
  return { id, effect, targets, subjects }
}

/** `roles` of the configuration: a rule for a role is a rule for its members, whoever made the principal. */
function roleMembers(roles: RolesConfig): ReadonlyMap<string, readonly Subject[]> {
  return new Map(
    Object.entries(roles).map(([role, texts]) => [role, texts.map((text) => parseSubject(text, `roles.${role}`))]),
  )
}

/** A deny that seems to stop every call and stops none is worse than none: it is refused, with what to write instead. */
function checkMethodTarget(target: Target, effect: Rule['effect'], where: string): Target {
  if (target.kind !== 'method') return target
  const naming = NAMING_METHODS.find((method) => target.name.matches(method))
  if (naming !== undefined && (target.name.literal || effect === 'deny')) {
    const server = target.server.pattern
    throw new OperatorError(
      `${where}: "${target.text}" does not reach ${naming}, which goes by what it names. ` +
        `Write ${server}/NAME, prompt:${server}/NAME, resource:${server}/URI, or ${server}/* for the whole server.`,
    )
  }
  return target
}
