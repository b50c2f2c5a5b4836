// Roles, scopes, limits and virtual servers that nobody will ever notice.
import { compileTargets } from './covers.ts'
import { type Finding, isNowhere, knownServers, type Needs } from './lint-finding.ts'
import { targetCovers, targetsOverlap } from './overlap.ts'
import { isConditional, type Rule } from './rules.ts'
import { isView } from './shown-name.ts'

export function idleRoles({ config }: Needs): Finding[] {
  const named = new Set([...config.policy.rules.flatMap(({ to }) => to), ...config.limits.flatMap(({ to }) => to)])
  const conditions = config.policy.rules.flatMap(({ when = '', unless = '' }) => [when, unless]).join('\n')
  return Object.entries(config.roles).flatMap(([role, members]) => {
    const finding = { at: ['roles', role], rule: undefined }
    if (members.length === 0)
      return [
        {
          ...finding,
          kind: 'empty_role',
          message: `The role ${role} has no members.`,
          remedy: 'Name groups, teams or users, or take it out.',
        },
      ]
    if (named.has(`role:${role}`) || conditions.includes(role)) return []
    return [
      {
        ...finding,
        kind: 'idle_role',
        message: `No rule and no limit speaks of the role ${role}.`,
        remedy: 'Take it out, unless servers read it (X-Forwarded-Roles).',
      },
    ]
  })
}

export function idleScopes({ config, rules }: Needs): Finding[] {
  const known = knownServers(config)
  const allows = rules.filter(({ effect }) => effect === 'allow')
  return Object.entries(config.scopes).flatMap(([name, { covers, requiredFor }]) => {
    const targets = compileTargets([...covers, ...requiredFor], `scopes.${name}`)
    const reaching = targets.filter((target) => !isNowhere(target, known))
    const useful = reaching.some((target) =>
      allows.some((rule) => rule.targets.some((open) => targetsOverlap(open, target))),
    )
    if (useful || config.policy.resourceAccess !== undefined || config.oauth.requiredScopes.includes(name)) return []
    const message =
      reaching.length === 0
        ? `The scope ${name} covers nothing of any server.`
        : `The scope ${name} covers nothing that a rule allows.`
    return [
      {
        at: ['scopes', name],
        kind: 'idle_scope',
        rule: undefined,
        message,
        remedy: 'Correct `covers`, or take the scope out: people are asked to consent to nothing.',
      },
    ]
  })
}

export function idleLimits({ config }: Needs): Finding[] {
  const known = knownServers(config)
  return config.limits.flatMap(({ id, match }, index) =>
    compileTargets([match], `limits.${index}`).every((target) => isNowhere(target, known))
      ? [
          {
            at: ['limits', index],
            kind: 'unknown_server',
            rule: undefined,
            message: `The limit ${id} is about no server that there is.`,
            remedy: 'Correct `match`, or take it out.',
          },
        ]
      : [],
  )
}

export function idlePicks({ config, rules }: Needs): Finding[] {
  return config.servers.flatMap((server, index) => {
    if (!isView(server)) return []
    return (['tools', 'prompts', 'resources'] as const).flatMap((list) =>
      server[list].flatMap((pick, place): Finding[] => {
        const prefix = list === 'tools' ? '' : list === 'prompts' ? 'prompt:' : 'resource:'
        const source = typeof pick === 'string' ? pick : pick.from
        const name = (typeof pick === 'string' ? undefined : pick.name) ?? source.slice(source.indexOf('/') + 1)
        const [below] = compileTargets([prefix + source], 'servers')
        const [shown] = compileTargets([`${prefix}${server.id}/${name}`], 'servers')
        if (below === undefined || shown === undefined) return []
        const closed = rules.find(
          (rule) =>
            isForEverybody(rule) &&
            [below, shown].some((target) => rule.targets.some((wide) => targetCovers(wide, target))),
        )
        const opened = rules.some(
          ({ effect, targets }) => effect === 'allow' && targets.some((open) => targetsOverlap(open, shown)),
        )
        if (closed === undefined && (opened || config.policy.resourceAccess !== undefined)) return []
        const message =
          closed === undefined
            ? `No rule allows "${source}" under ${server.id}/${name} to anybody.`
            : `Nobody sees "${source}": ${closed.id} denies it.`
        return [
          {
            at: ['servers', index, list, place],
            kind: 'unreachable_pick',
            rule: closed?.id,
            message,
            remedy: `Allow ${server.id}/${name} to somebody, or take the pick out.`,
          },
        ]
      }),
    )
  })
}

const isForEverybody = (rule: Rule): boolean =>
  rule.effect === 'deny' && !isConditional(rule) && rule.subjects.some(({ type }) => type === 'signed_in')
