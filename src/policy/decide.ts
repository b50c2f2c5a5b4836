// May this principal make this call? Pure: no clock, no store, no throw. Lists are filtered by the same function.
import type { Call, Decision } from '../protocol/decision.ts'
import { isStandardMethod } from '../protocol/methods.ts'
import { firstRule } from './match.ts'
import type { Ranked } from './name-index.ts'
import { foldUri, isNormalUri } from './normal-uri.ts'
import { bucketsFor, type RuleIndex } from './rule-index.ts'
import { openingRule, viewOf } from './view.ts'

export function decide(index: RuleIndex, call: Call): Decision {
  const spelled = decideName(index, call)
  const folded = call.kind === 'resource' && spelled.effect === 'allow' ? foldUri(call.name) : undefined
  if (folded === undefined) return spelled
  // Rules compare text and the server behind us may not: what it could understand must be allowed as well.
  const understood = decideName(index, { ...call, name: folded })
  return understood.effect === 'deny' ? understood : spelled
}

function decideName(index: RuleIndex, { principal, server, kind, name }: Call): Decision {
  const layers = index.layersOf(server)
  const denies = bucketsFor(layers, 'deny', principal)
  const denying = firstRule(denies, kind, name)
  if (denying) return refusal('denied_by_rule', denying)
  const allows = bucketsFor(layers, 'allow', principal)
  // `file:///public/../private` begins like what is public: where rules tell resources apart, only one spelling counts.
  if (kind === 'resource' && !isNormalUri(name) && viewOf(allows, denies) !== 'all') {
    return refusal('resource_uri_not_normal')
  }
  // A bare method of the standard (logging/setLevel, tools/list …) touches nothing of its own: who sees part of the server may call it.
  const bare = kind === 'method' && isStandardMethod(name)
  const allowing = firstRule(allows, kind, name) ?? (bare ? openingRule(allows, denies) : undefined)
  if (!allowing) return refusal('no_rule_allows')
  return { effect: 'allow', reason: 'allowed_by_rule', rule: allowing.rule.id }
}

function refusal(reason: string, ranked?: Ranked): Decision {
  return { effect: 'deny', reason, rule: ranked?.rule.id }
}
