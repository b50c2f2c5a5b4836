// What a decision point outside is asked, and how its answer is read: Open Policy Agent's data API, and AuthZEN Authorization API 1.0 §6.
// What is sent is what conditions may read as well: who calls what with which arguments, and from where. No token, no secret.
import type { DecisionPointConfig } from '../config/decision-points.ts'
import type { Call } from '../protocol/decision.ts'
import { isRecord } from '../protocol/json.ts'
import type { Principal } from '../protocol/principal.ts'

export interface Question {
  /** All that the answer may rest on, save the time: what the same call asks a moment later is the same question. */
  readonly key: string
  readonly body: string
}

export interface Dialect {
  question(call: Call): Question
  /** `undefined`: this is no answer. */
  read(answer: unknown): boolean | undefined
}

export const DIALECTS: Readonly<Record<DecisionPointConfig['type'], Dialect>> = {
  opa: {
    question(call) {
      const { server, kind, name, method, args, tool } = call
      const asked = { principal: callerOf(call.principal), server, kind, name, method, args, tool }
      return questionOf(call, (request) => ({ input: { ...asked, request } }))
    },
    read(answer) {
      if (!isRecord(answer)) return undefined
      const { result } = answer
      // A rule without a default has no result where it does not hold.
      return result === undefined ? false : boolean(result)
    },
  },
  authzen: {
    question(call) {
      const { server, kind, name, method, args, tool } = call
      const { subject, identity, kind: type, ...properties } = callerOf(call.principal)
      const asked = {
        // Whom another vouches for is known by what they are called there; `issuer` is among the properties.
        subject: {
          type: type === 'person' ? 'user' : type,
          id: properties.issuer === undefined ? subject : identity,
          properties,
        },
        action: { name: method },
        resource: { type: kind, id: `${server}/${name}`, properties: { server, name, tool } },
      }
      return questionOf(call, (request) => ({ ...asked, context: { args, request } }))
    },
    read: (answer) => (isRecord(answer) ? boolean(answer['decision']) : undefined),
  },
}

/** Nothing that only looks like a yes: no 1, no "true", no object that holds one. */
const boolean = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined)

function questionOf({ request }: Call, build: (request: object | undefined) => object): Question {
  if (request === undefined) {
    const body = JSON.stringify(build(undefined))
    return { key: body, body }
  }
  const { address, era, at } = request
  const key = JSON.stringify(build({ address, era }))
  return { key, body: JSON.stringify(build({ address, era, time: new Date(at).toISOString() })) }
}

/** Under the names that conditions have for it. */
function callerOf(principal: Principal) {
  const { kind, subject, identity, issuer, email, name, groups, roles, teams, client, scopes, claims, method } =
    principal
  return { kind, subject, identity, issuer, email, name, groups, roles, teams, client, scopes, claims, method }
}
