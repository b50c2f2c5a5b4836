// Rules, limits and scopes that can be read and say nothing: they name a server that there is not.
import { TARGET } from '../protocol/rule-words.ts'
import type { Input } from './input.ts'
import { placeOf } from './problems.ts'
import type { Config } from './schema.ts'
import { findNearest } from './suggest.ts'

type Speaking = Pick<Config, 'policy' | 'limits' | 'scopes'>

export function ruleWarnings(
  config: Speaking & Pick<Config, 'servers' | 'forwardAuth'>,
  input: Pick<Input, 'find'>,
): string[] {
  const { servers, forwardAuth } = config
  // Without servers of its own the gate decides for others, whose names it cannot know.
  if (servers.length === 0) return []
  const ids = servers.map(({ id }) => id)
  const known = new Set([...ids, ...forwardAuth.resources.flatMap(({ host, server }) => [host, server ?? host])])
  return writtenTargets(config).flatMap(({ text, path, speaker }) => {
    const server = TARGET.exec(text)?.[2] ?? '*'
    if (server.includes('*') || known.has(server)) return []
    const nearest = findNearest(server, ids)
    const remedy = nearest === undefined ? '' : ` Did you mean ${nearest}?`
    return [`${placeOf(input.find(path))}: ${speaker} names ${server}, and there is no such server.${remedy}`]
  })
}

interface Written {
  readonly text: string
  readonly path: readonly (string | number)[]
  /** Which setting it is of, in words. */
  readonly speaker: string
}

function writtenTargets({ policy, limits, scopes }: Speaking): readonly Written[] {
  const listed = (texts: readonly string[], path: Written['path'], speaker: string) =>
    texts.map((text, at): Written => ({ text, path: [...path, at], speaker }))
  return [
    ...policy.rules.flatMap((rule, index) => {
      const [key, texts] = 'allow' in rule ? (['allow', rule.allow] as const) : (['deny', rule.deny] as const)
      return listed(texts, ['policy', 'rules', index, key], `the rule ${rule.id}`)
    }),
    ...limits.map(({ match, id }, index) => ({
      text: match,
      path: ['limits', index, 'match'],
      speaker: `the limit ${id}`,
    })),
    ...Object.entries(scopes).flatMap(([name, { covers, requiredFor }]) => [
      ...listed(covers, ['scopes', name, 'covers'], `the scope ${name}`),
      ...listed(requiredFor, ['scopes', name, 'requiredFor'], `the scope ${name}`),
    ]),
  ]
}
