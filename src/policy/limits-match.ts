// Whether a limit speaks of a call, and under which key the call is counted. Keys are made of who somebody is, never of where a request
// says that it comes from; of whoever has not signed in there is nothing else.
import { createHash } from 'node:crypto'
import type { Counted, LimitConfig } from '../config/limits.ts'
import type { Call } from '../protocol/decision.ts'
import { countedAs, type Principal } from '../protocol/principal.ts'
import { claimTexts } from './claim.ts'
import { isNormalUri, spellingsOf } from './normal-uri.ts'
import { namesOf, type Subject } from './subject.ts'
import { parseTarget, type Target } from './target.ts'

/** What is called, under one of its names: a view's, or that of the server behind the view. */
export type Thing = Pick<Call, 'server' | 'kind' | 'name'>

export interface Matcher {
  concerns(server: string): boolean
  matches(thing: Thing, method: string): boolean
}

export function matcherOf(match: string, where: string): Matcher {
  const { kind, server, name }: Target = parseTarget(match, where)
  function matches(thing: Thing, method: string): boolean {
    if (!server.matches(thing.server)) return false
    // By the message's own method, whatever it names: so that completions and lists can be limited, and no spelling matters.
    if (kind === 'method') return name.matches(method)
    if (thing.kind === 'method') return false
    if (kind === 'everything') return true
    return kind === thing.kind && (kind === 'resource' ? isSpelling(thing.name) : name.matches(thing.name))
  }

  return { concerns: server.matches, matches }

  /** Another spelling of a resource is no way around its limit. */
  function isSpelling(uri: string): boolean {
    return !isNormalUri(uri) || spellingsOf(uri).some((one) => name.matches(one))
  }
}

export function isOneOf(subjects: readonly Subject[], principal: Principal): boolean {
  if (principal.kind === 'anonymous') return subjects.some(({ type }) => type === 'anonymous')
  return subjects.some((subject) => isSubject(subject, principal))
}

function isSubject(subject: Subject, principal: Principal): boolean {
  switch (subject.type) {
    case 'signed_in':
      return true
    case 'anonymous':
      return false
    case 'claim':
      return principal.claims !== undefined && claimTexts(principal.claims, subject.path).includes(subject.value)
    default:
      return namesOf(principal)[subject.type].includes(subject.value)
  }
}

const LONGEST_KEY = 200

/** Who calls, and from where. */
type Asking = Pick<Call, 'principal' | 'request'>

export function keyMaker(per: LimitConfig['per']): (call: Asking, thing: Thing) => string {
  const [only, ...others] = per
  const parts = per.map((one) => PARTS[one])
  if (only !== undefined && others.length === 0) {
    const part = PARTS[only]
    return (call, thing) => short(part(call, thing))
  }
  return (call, thing) => short(JSON.stringify(parts.map((part) => part(call, thing))))
}

const PARTS: Readonly<Record<Counted, (call: Asking, thing: Thing) => string>> = {
  principal: whose,
  client: ({ principal: { client } }) => client ?? '',
  // All secrets and refreshes of one authorization or API token are one token.
  token: (call) => call.principal.family ?? whose(call),
  server: (_, { server }) => server,
  // Addresses of resources come from callers in any number: those of a server are counted as one.
  tool: (_, { server, kind, name }) => `${server} ${kind} ${kind === 'resource' ? '' : name}`,
}

function whose({ principal, request }: Asking): string {
  return countedAs(principal, request?.address)
}

/** Names come from callers, as long as they like. */
const short = (key: string): string =>
  key.length <= LONGEST_KEY ? key : `#${createHash('sha256').update(key).digest('base64url')}`
