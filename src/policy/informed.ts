// What must be known of a call before it is decided, and what of it the record keeps. The decision itself waits for nobody.
import type { Call, Decision } from '../protocol/decision.ts'
import type { Policy } from './policy.ts'

/** A tool as its server defines it. */
export type Definition = Readonly<Record<string, unknown>>

export interface InformNeeds {
  readonly policy: Pick<Policy, 'reads' | 'consult'>
  /** Of a tool, where somebody knows it; asked for only where a rule reads it. Never rejects: not known is an answer. */
  definitionOf?:
    | ((server: string, tool: string) => Definition | undefined | Promise<Definition | undefined>)
    | undefined
}

/** With the tool's definition and the answers of decision points outside, where rules about this call ask for them; at once where not. */
export function informed({ policy, definitionOf }: InformNeeds, call: Call): Call | Promise<Call> {
  const { kind, server, name } = call
  const tool = kind === 'tool' && policy.reads(server).tool ? definitionOf?.(server, name) : undefined
  if (tool === undefined) return policy.consult(call) ?? call
  if (!(tool instanceof Promise)) return consulted(policy, call, tool)
  return tool.then((known) => consulted(policy, call, known))
}

function consulted(policy: InformNeeds['policy'], call: Call, tool: Definition | undefined): Call | Promise<Call> {
  const defined = { ...call, tool }
  return policy.consult(defined) ?? defined
}

/** A decision with what it rests on: the fields of the arguments that conditions read, and which policy it was. */
export type Grounds = Decision & {
  readonly args?: Readonly<Record<string, unknown>> | undefined
  readonly policy?: string | undefined
}

export function grounded(
  policy: Pick<Policy, 'reads' | 'argumentsRead' | 'version'>,
  decision: Decision,
  call: Call,
): Grounds {
  // None given is an answer too: whoever decides again must not take it for fields that were not kept.
  const takesArguments = call.kind === 'tool' || call.kind === 'prompt'
  const args = takesArguments && policy.reads(call.server).args ? policy.argumentsRead(call) : undefined
  return { ...decision, args, policy: policy.version === '' ? undefined : policy.version }
}
