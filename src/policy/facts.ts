// What conditions are told of a call. Made when a condition asks, and not before.
import { type Fact, type Facts, MISSING, PartlyKnown, UNKNOWN } from '../protocol/condition/language.ts'
import type { Call, RequestFacts } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Target } from './target.ts'

/**
 * How much of a call is known: all of it; what it names but not with which arguments; or only who is there and at which server.
 * What is not known is unknown, and what a known call does not have is missing.
 */
export type Knowing = 'call' | 'thing' | 'server'

/** `target`: the rule's own, which names the variables in the resource's URI. */
export function factsOf(call: Call, knowing: Knowing, target: Target): Facts {
  const { principal, server } = call
  return {
    principal: principalFacts(principal),
    client: { id: principal.client },
    server: { id: server },
    tool: toolFacts(call, knowing),
    args: knowing === 'call' ? (call.args ?? NONE) : UNKNOWN,
    request: call.request ? requestFacts(call.request) : knowing === 'call' ? MISSING : UNKNOWN,
    resource: resourceFacts(call, knowing, target),
  }
}

const NONE = Object.freeze({})

function toolFacts({ kind, name, tool }: Call, knowing: Knowing): Fact {
  if (knowing === 'server') return UNKNOWN
  if (kind !== 'tool') return NONE
  // A definition that nobody has seen is no definition without annotations.
  return tool === undefined ? new PartlyKnown({ name }) : { ...tool, name }
}

function resourceFacts({ kind, name }: Call, knowing: Knowing, target: Target): Fact {
  if (knowing === 'server') return UNKNOWN
  if (kind !== 'resource') return NONE
  // A template in a list stands for many resources, in either spelling.
  if (knowing === 'thing' && /\{|%7b/i.test(name)) return UNKNOWN
  const params = target.kind === 'resource' && 'params' in target.name ? target.name.params(name) : undefined
  return { uri: name, params: params ?? NONE }
}

const requestFacts = ({ address, at, era }: RequestFacts): Fact => ({ address, time: new Date(at), era })

const principals = new WeakMap<Principal, Fact>()

/** By the principal itself: a token in use brings the same one with every call. */
function principalFacts(principal: Principal): Fact {
  const known = principals.get(principal)
  if (known !== undefined) return known
  const { subject, email, name, groups, roles, teams, client, kind, method, issuer, scopes, claims } = principal
  const held = { subject, email, name, groups, roles, teams, client, kind, method, issuer, scopes }
  const facts = { ...held, claims: claims ?? NONE }
  principals.set(principal, facts)
  return facts
}
