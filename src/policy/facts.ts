// What conditions are told of a call. Made when a condition asks, and not before.
import type { CelInput } from '@bufbuild/cel'
import { type Facts, MISSING, UNKNOWN } from '../protocol/condition/compile.ts'
import { celOf, requestFacts, unknownMembers } from '../protocol/condition/values.ts'
import type { Call } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Target } from './target.ts'

/**
 * How much of a call is known: all of it; what it names but not with which arguments; or only who is there and at which server.
 * What is not known is unknown, and what a known call does not have is missing.
 */
export type Knowing = 'call' | 'thing' | 'server'

export interface CallFacts extends Facts {
  /** As the rule's own target reads the resource's URI. */
  reading(target: Target): CallFacts
}

export function factsOf(call: Call, knowing: Knowing): CallFacts {
  return new Told(call, knowing)
}

class Told implements CallFacts {
  readonly #call: Call
  readonly #knowing: Knowing
  #args: CelInput | undefined
  #resource: CelInput | undefined

  constructor(call: Call, knowing: Knowing) {
    this.#call = call
    this.#knowing = knowing
  }

  reading({ kind, name }: Target): CallFacts {
    if (this.#call.kind === 'resource')
      this.#resource = resourceFacts(this.#call, kind === 'resource' && 'params' in name ? name.params : undefined)
    return this
  }

  get principal(): CelInput {
    return principalFacts(this.#call.principal)
  }

  get client(): CelInput {
    return celOf({ id: this.#call.principal.client })
  }

  get server(): CelInput {
    return celOf({ id: this.#call.server })
  }

  get args(): CelInput {
    if (this.#knowing !== 'call') return UNKNOWN
    this.#args ??= celOf(this.#call.args ?? {})
    return this.#args
  }

  get tool(): CelInput {
    if (this.#knowing === 'server') return UNKNOWN
    const { kind, name, tool } = this.#call
    if (kind !== 'tool') return celOf({})
    // A definition that nobody has seen is no definition without annotations.
    return tool === undefined ? unknownMembers({ name }) : celOf({ ...tool, name })
  }

  get resource(): CelInput {
    const { kind, name } = this.#call
    if (this.#knowing === 'server') return UNKNOWN
    if (kind !== 'resource') return celOf({})
    // A template in a list stands for many resources, in either spelling.
    if (this.#knowing === 'thing' && /\{|%7b/i.test(name)) return UNKNOWN
    return this.#resource ?? resourceFacts(this.#call, undefined)
  }

  get request(): CelInput {
    const { request } = this.#call
    if (request !== undefined) return requestFacts(request)
    return this.#knowing === 'call' ? MISSING : UNKNOWN
  }
}

function resourceFacts({ name }: Call, params: ((uri: string) => object | undefined) | undefined): CelInput {
  return celOf({ uri: name, params: params?.(name) ?? {} })
}

const principals = new WeakMap<Principal, CelInput>()

/** By the principal itself: a token in use brings the same one with every call. */
function principalFacts(principal: Principal): CelInput {
  const known = principals.get(principal)
  if (known !== undefined) return known
  const { subject, email, name, groups, roles, teams, client, kind, method, issuer, scopes, claims } = principal
  const facts = celOf({
    subject,
    email,
    name,
    groups,
    roles,
    teams,
    client,
    kind,
    method,
    issuer,
    scopes,
    claims: claims ?? {},
  })
  principals.set(principal, facts)
  return facts
}
