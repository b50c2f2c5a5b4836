// What would have allowed a refused call, or what else stood behind an allowed one: as far as record and configuration tell.
import type { CallEvent } from '../audit/event.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { KnownCall } from '../policy/known-call.ts'
import { createScopeGate } from '../policy/scopes.ts'
import { type Weighed, weighRules } from '../policy/weigh.ts'
import { BearerError } from '../protocol/errors.ts'
import { isStandardMethod } from '../protocol/methods.ts'
import { ANONYMOUS } from '../protocol/principal.ts'
import { isDecidedByRules, type MadeBy, recall } from './recorded-call.ts'
import { findRule } from './rule-place.ts'

export interface Remedy {
  readonly head: string
  readonly lines: readonly string[]
}

type Loaded = Pick<LoadedConfig, 'config' | 'input'>

const HEAD = 'To allow'

export async function remedyFor(event: CallEvent, loaded: Loaded, made: MadeBy): Promise<Remedy | undefined> {
  const { config } = loaded
  if (event.decision === 'allow') return undefined
  const recalled = recall(event, { madeBy: made, roles: config.roles, servers: config.servers })
  if (event.reason === 'scope_missing')
    return {
      head: HEAD,
      lines:
        'call' in recalled ? scopeLines(recalled.underlying ?? recalled.call, loaded) : coveringScopes(event, loaded),
    }
  const limit = config.limits.find(({ id }) => id === event.rule)
  if (limit !== undefined && OF_LIMITS.has(event.reason))
    return {
      head: 'Limit',
      lines: [
        `${limit.id}: ${JSON.stringify({ to: limit.to, match: limit.match, rate: limit.rate, quota: limit.quota, concurrent: limit.concurrent, per: limit.per })}`,
        'It lets the call pass once it is less used, or is set higher.',
      ],
    }
  const fixed = FIXED[event.reason]
  if (fixed !== undefined) return { head: HEAD, lines: [fixed] }
  if (!isDecidedByRules(event)) return undefined
  if ('missing' in recalled)
    return {
      head: HEAD,
      lines: [
        `It cannot be told which rule speaks of it: ${recalled.missing} is not in the record.`,
        ...rulesOfServer(event, loaded, made),
      ],
    }
  return {
    head: HEAD,
    lines: [
      ...ruleLines(recalled.call, 'all', loaded, made),
      ...(recalled.underlying === undefined ? [] : ruleLines(recalled.underlying, 'deny', loaded, made)),
    ],
  }
}

const OF_LIMITS: ReadonlySet<string> = new Set(['rate_limited', 'quota_exhausted', 'too_many_running'])

const FIXED: Readonly<Record<string, string>> = {
  outside_token: 'An API token whose reach names it: `portcullis tokens list` shows what this one reaches.',
  outside_capabilities: 'The trusted proxy has to name it in the list that it signs.',
  tool_quarantined:
    '`portcullis tools show server/tool`, and `portcullis tools approve` once its definition is what you want.',
  not_admitted: 'The e-mail address has to be among identity.allowedEmails.',
  expired: 'A fresh token: clients get one with their refresh token, or by signing in.',
  audience_mismatch: 'A token for the address of this server: one for another server, or for /mcp, is not good here.',
  revoked: 'Signing in again: what was revoked stays revoked.',
}

/** Which allows speak of it and why they did not hold, and which denials stood in the way. */
function ruleLines(call: KnownCall, which: 'all' | 'deny', loaded: Loaded, { rules }: MadeBy): readonly string[] {
  if (call.kind === 'method' && isStandardMethod(call.name))
    return [`A rule that allows some part of ${call.server}: this method is open to whoever sees the server.`]
  const weighed = onceEach(weighRules(rules, call))
  const denies = weighed.filter(
    ({ rule, concerns, holds }) => rule.effect === 'deny' && concerns !== 'no' && holds !== 'no',
  )
  const allows = which === 'deny' ? [] : weighed.filter(({ rule }) => rule.effect === 'allow')
  const prefix = call.kind === 'tool' ? '' : `${call.kind}:`
  const nothing = `No rule speaks of it. Write { allow: ["${prefix}${call.server}/${call.name}"], to: […] }.`
  return [
    ...denies.map((one) => `${one.rule.id} must not deny it${becauseOf(one)}.${placed(one, loaded)}`),
    ...(which === 'all' && allows.length === 0
      ? [nothing]
      : allows.map((one) => `${one.rule.id} allows it${becauseOf(one)}.${placed(one, loaded)}`)),
  ]
}

/** By the rule: a URI in two spellings is one thing. */
const onceEach = (weighed: readonly Weighed[]): readonly Weighed[] => [
  ...new Map(weighed.map((one) => [one.rule.id, one])).values(),
]

function becauseOf({ rule, concerns, holds, missing }: Weighed): string {
  const subjects = rule.subjects.map((subject) =>
    subject.type === 'signed_in'
      ? '*'
      : subject.type === 'anonymous'
        ? 'anonymous'
        : `${subject.type}:${subject.type === 'claim' ? `${subject.path}=` : ''}${subject.value}`,
  )
  const whom =
    concerns === 'yes'
      ? ' to this caller'
      : concerns === 'no'
        ? ` to ${subjects.join(', ')}, which the caller was not`
        : ` to ${subjects.join(', ')}, and whether the caller was one is not known`
  const how = {
    yes: '',
    no: ', and its condition was not met',
    error: ', and its condition could not be evaluated',
    unknown: `, and its condition cannot be decided from the record (${missing.join(', ')})`,
  }[holds]
  return whom + how
}

function placed({ rule }: Weighed, loaded: Loaded): string {
  const found = findRule(loaded, rule.id)
  return found === undefined ? '' : ` ${found.place}: ${found.text}`
}

/** Where the thing itself is not known: what rules say of the server at all. */
function rulesOfServer({ server }: CallEvent, loaded: Loaded, { rules }: MadeBy): readonly string[] {
  const about = rules.filter(
    ({ effect, targets }) => effect === 'allow' && targets.some((target) => target.server.matches(server)),
  )
  if (about.length === 0) return [`No rule allows anything of ${server} to anybody.`]
  return about.map(({ id }) => `${id} allows some of ${server}. ${findRule(loaded, id)?.place ?? ''}`)
}

/** Where a scope was missing before anybody looked at the name. */
function coveringScopes({ server }: CallEvent, { config }: Loaded): readonly string[] {
  const scopes = scopeGate(config).scopesFor(server)
  const some = scopes.length === 0 ? 'no scope covers any' : `scopes that cover some are ${scopes.join(', ')}`
  return [`A token with a scope that covers it. Which thing of ${server} was called is not in the record; ${some}.`]
}

const scopeGate = ({ scopes, oauth }: Loaded['config']) =>
  createScopeGate({ scopes, requiredScopes: oauth.requiredScopes })

function scopeLines({ server, kind, name }: KnownCall, { config }: Loaded): readonly string[] {
  try {
    scopeGate(config).checkScopes(
      { ...ANONYMOUS, scopeRule: 'covers' },
      { principal: ANONYMOUS, server, kind, name, method: name },
    )
    return ['No scope is needed for it any more.']
  } catch (error) {
    if (!(error instanceof BearerError)) throw error
    if (error.scopes.length === 0)
      return ['No scope of this configuration covers it: `scopes` has to name one that does.']
    return [`A token with ${error.scopes.join(' and ')}; which ones it had is not in the record.`]
  }
}
