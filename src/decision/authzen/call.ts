// What an evaluation is about, in policy's words: `{ type: tool, id: notes/read_note }` with the action `can_use` is a call of that tool.
import { isIP } from 'node:net'
import type { RequestFacts, TargetKind } from '../../protocol/decision.ts'
import { RequestError } from '../../protocol/errors.ts'
import { isRecord } from '../../protocol/json.ts'
import type { Evaluation } from './evaluation.ts'

/** `server`: to reach it at all. */
export type AskedCall =
  | { readonly server: string; readonly kind: 'server' }
  | { readonly server: string; readonly kind: TargetKind; readonly method: string; readonly name: string }

interface Vocabulary {
  readonly kind: TargetKind | 'server'
  /** By the name of the action, the JSON-RPC method. */
  readonly actions: Readonly<Record<string, string>>
}

const named = (method: string, names: readonly string[]): Record<string, string> =>
  Object.fromEntries([method, ...names].map((name) => [name, method]))

const VOCABULARY: ReadonlyMap<string, Vocabulary> = new Map<string, Vocabulary>([
  [
    'tool',
    {
      kind: 'tool',
      actions: named('tools/call', [
        'call',
        'use',
        'invoke',
        'execute',
        'can_call',
        'can_use',
        'can_invoke',
        'can_execute',
      ]),
    },
  ],
  [
    'prompt',
    { kind: 'prompt', actions: named('prompts/get', ['get', 'read', 'use', 'can_get', 'can_read', 'can_use']) },
  ],
  [
    'resource',
    {
      kind: 'resource',
      actions: {
        ...named('resources/read', ['read', 'get', 'can_read', 'can_get']),
        ...named('resources/subscribe', ['subscribe', 'can_subscribe']),
      },
    },
  ],
  ['server', { kind: 'server', actions: named('access', ['connect', 'use', 'can_access', 'can_connect', 'can_use']) }],
])

/** `undefined` members say what is not known here: the answer to it is no. */
export function callOf({ resource, action }: Pick<Evaluation, 'resource' | 'action'>): AskedCall | { reason: string } {
  const words = VOCABULARY.get(resource.type)
  if (words === undefined) return { reason: 'unknown_resource_type' }
  const method = Object.hasOwn(words.actions, action.name) ? words.actions[action.name] : undefined
  if (method === undefined) return { reason: 'unknown_action' }
  if (words.kind === 'server') return { server: resource.id, kind: 'server' }
  // The id of a server has no slash; the name of a tool and the address of a resource may.
  const [, server, name] = /^([^/]+)\/(.+)$/s.exec(resource.id) ?? []
  if (server === undefined || name === undefined) return { reason: 'unknown_resource' }
  return { server, kind: words.kind, method, name }
}

type Arguments = Readonly<Record<string, unknown>>

/** What it is called with: `arguments` among the properties of the action, else of the resource. Throws RequestError 400. */
export function argumentsOf({ action, resource }: Pick<Evaluation, 'resource' | 'action'>): Arguments | undefined {
  const given = action.properties['arguments'] ?? resource.properties['arguments']
  if (given === undefined || isRecord(given)) return given
  throw unreadable('properties.arguments: Expected an object.')
}

/** The request of the subject, as the service that enforces saw it; a condition that asks for what is not told is not met. */
export function requestOf({ context }: Pick<Evaluation, 'context'>, at: number): RequestFacts | undefined {
  const address = context?.['address']
  const era = context?.['era'] ?? 'modern'
  if (address === undefined) return undefined
  if (typeof address !== 'string' || isIP(address) === 0) throw unreadable('context.address: Expected an IP address.')
  if (era !== 'modern' && era !== 'legacy') throw unreadable('context.era: Expected modern or legacy.')
  return { address, at, era }
}

const unreadable = (message: string) => new RequestError(400, 'bad_evaluation', message)
