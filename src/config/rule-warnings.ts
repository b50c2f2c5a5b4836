// Rules that can be read and say nothing: a server that there is not.
import { TARGET } from '../protocol/rule-words.ts'
import type { Input } from './input.ts'
import { placeOf } from './problems.ts'
import type { Config } from './schema.ts'
import { findNearest } from './suggest.ts'

export function ruleWarnings(
  { policy, servers, forwardAuth }: Pick<Config, 'policy' | 'servers' | 'forwardAuth'>,
  input: Pick<Input, 'find'>,
): string[] {
  // Without servers of its own the gate decides for others, whose names it cannot know.
  if (servers.length === 0) return []
  const ids = servers.map(({ id }) => id)
  const known = new Set([...ids, ...forwardAuth.resources.flatMap(({ host, server }) => [host, server ?? host])])
  return policy.rules.flatMap((rule, index) => {
    const key = 'allow' in rule ? 'allow' : 'deny'
    const targets = 'allow' in rule ? rule.allow : rule.deny
    return targets.flatMap((text, at) => {
      const server = TARGET.exec(text)?.[2] ?? '*'
      if (server.includes('*') || known.has(server)) return []
      const nearest = findNearest(server, ids)
      const remedy = nearest === undefined ? '' : ` Did you mean ${nearest}?`
      const place = placeOf(input.find(['policy', 'rules', index, key, at]))
      return [`${place}: the rule ${rule.id} names ${server}, and there is no such server.${remedy}`]
    })
  })
}
