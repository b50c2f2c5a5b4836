// The rules of the configuration, checked and compiled: what they say, ready to be matched.
import type { PolicyConfig, RuleConfig } from '../config/policy.ts'
import type { RolesConfig } from '../config/scopes.ts'
import { type CompileCondition, type Condition, ConditionFlaw } from '../protocol/condition/language.ts'
import { OperatorError } from '../protocol/errors.ts'
import { methodFlaw, uriFlaw } from '../protocol/rule-words.ts'
import { isNormalUri } from './normal-uri.ts'
import { parseSubjects, type Subject } from './subject.ts'
import { foldedTarget, parseTarget, type Target } from './target.ts'

export interface Rule {
  readonly id: string
  readonly effect: 'allow' | 'deny'
  readonly targets: readonly Target[]
  readonly subjects: readonly Subject[]
  /** Both must be so for the rule to hold. */
  readonly when: Condition | undefined
  readonly unless: Condition | undefined
  /** The decision point outside whose yes the call also needs. */
  readonly consult: string | undefined
}

/** What a rule says depends on more than who, where and what. */
export const isConditional = ({ when, unless, consult }: Rule): boolean => (when ?? unless ?? consult) !== undefined

/** Throws OperatorError for a rule that cannot mean what it says. `compile` is needed where a rule has a condition. */
export function compileRules(policy: PolicyConfig, roles: RolesConfig, compile?: CompileCondition): readonly Rule[] {
  return policy.rules.map((config, at) => compileRule(config, { where: `policy.rules.${at}`, roles, compile }))
}

interface Compiling {
  readonly where: string
  readonly roles: RolesConfig
  readonly compile: CompileCondition | undefined
}

function compileRule(config: RuleConfig, { where, roles, compile }: Compiling): Rule {
  const effect = 'allow' in config ? 'allow' : 'deny'
  const texts = 'allow' in config ? config.allow : config.deny
  const targets = texts.flatMap((text) => spelledOut(checkTarget(parseTarget(text, where), effect, where), effect))
  const subjects = parseSubjects(config.to, roles, where)
  const condition = (text: string | undefined, key: string) =>
    text === undefined ? undefined : compileText(text, `${where}.${key}`, compile)
  return {
    id: config.id,
    effect,
    targets,
    subjects,
    when: condition(config.when, 'when'),
    unless: condition(config.unless, 'unless'),
    consult: config.consult,
  }
}

function compileText(text: string, where: string, compile: CompileCondition | undefined): Condition {
  if (compile === undefined) throw new TypeError(`${where}: the language of conditions was not handed in`)
  try {
    return compile(text)
  } catch (cause) {
    if (!(cause instanceof ConditionFlaw)) throw cause
    throw new OperatorError(`${where}: ${cause.message}`, { cause })
  }
}

function checkTarget(target: Target, effect: Rule['effect'], where: string): Target {
  const flaw = methodFlaw(target.text, effect) ?? uriFlaw(target.text)
  if (flaw !== undefined) throw new OperatorError(`${where}: "${target.text}". ${flaw}`)
  return target
}

/** A rule for a URI is one for its folded form too. An allow that leaves its place (`/public/../*`) is not folded: it would grow. */
function spelledOut(target: Target, effect: Rule['effect']): readonly Target[] {
  const folded = effect === 'deny' || isNormalUri(target.name.pattern) ? foldedTarget(target) : undefined
  return folded === undefined ? [target] : [target, folded]
}
