// Where a rule stands and what it says, for people who look for it.

import type { LoadedConfig } from '../config/load.ts'
import type { RuleConfig } from '../config/policy.ts'
import { placeOf } from '../config/problems.ts'
import { RESOURCE_ACCESS } from '../policy/access.ts'

type Loaded = Pick<LoadedConfig, 'config' | 'input'>

export interface PlacedRule {
  readonly id: string
  /** File, line and column; a variable or a flag. */
  readonly place: string
  readonly text: string
}

/** `undefined` where no rule of this configuration has the id. */
export function findRule({ config: { policy }, input }: Loaded, id: string): PlacedRule | undefined {
  const index = policy.rules.findIndex((rule) => rule.id === id)
  const rule = policy.rules[index]
  if (rule !== undefined) return { id, place: rulePlace({ input }, index), text: ruleText(rule) }
  if (id !== RESOURCE_ACCESS || policy.resourceAccess === undefined) return undefined
  const place = placeOf(input.find(['policy', 'resourceAccess']))
  return { id, place, text: `policy.resourceAccess: what the claim ${policy.resourceAccess.claim} lists` }
}

const rulePlace = ({ input }: Pick<Loaded, 'input'>, index: number): string =>
  placeOf(input.find(['policy', 'rules', index]))

function ruleText(rule: RuleConfig): string {
  const what = 'allow' in rule ? `allow ${rule.allow.join(', ')}` : `deny ${rule.deny.join(', ')}`
  const parts = [
    `${what} to ${rule.to.join(', ')}`,
    ...(rule.when === undefined ? [] : [`when ${oneLine(rule.when)}`]),
    ...(rule.unless === undefined ? [] : [`unless ${oneLine(rule.unless)}`]),
    ...(rule.consult === undefined ? [] : [`consult ${rule.consult}`]),
  ]
  return parts.join(' ')
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()
