// Policy's answer for what is called through a view. The aggregate is no server of its own: its calls are those of the servers behind
// it. A virtual server has rules of its own, and what is denied where a thing is at home stays denied.
import type { Policy } from '../../policy/policy.ts'
import type { Call } from '../../protocol/decision.ts'

type Rules = Pick<Policy, 'decide' | 'couldAllow' | 'reads' | 'argumentsRead' | 'consult' | 'version'>

/** What a thing is called in a virtual server. */
export interface Alias {
  readonly server: string
  readonly name: string
}

/** `policy` for calls that name a thing at its own server, as the virtual server's rules and that server's denials judge them. */
export function throughAlias(policy: Omit<Policy, 'view'>, alias: Alias): Rules {
  const here = <T extends Pick<Call, 'server' | 'kind' | 'name'>>(call: T): T => ({
    ...call,
    server: alias.server,
    name: call.kind === 'method' ? call.name : alias.name,
  })
  return {
    version: policy.version,
    decide: (call) => policy.decideThrough(here(call), call),
    couldAllow: (call) => policy.couldAllowThrough(here(call), call),
    reads(server) {
      const [one, other] = [policy.reads(server), policy.reads(alias.server)]
      const names = new Set([...(one.names ?? []), ...(other.names ?? [])])
      return { args: one.args || other.args, tool: one.tool || other.tool, names }
    },
    argumentsRead(call) {
      const [one, other] = [policy.argumentsRead(call), policy.argumentsRead(here(call))]
      return one === undefined && other === undefined ? undefined : { ...one, ...other }
    },
    consult(call) {
      const asked = [policy.consult(call), policy.consult(here(call))].filter((each) => each !== undefined)
      if (asked.length === 0) return undefined
      return Promise.all(asked).then((answered) => ({
        ...call,
        answers: new Map(answered.flatMap(({ answers }) => [...(answers ?? [])])),
      }))
    },
  }
}
