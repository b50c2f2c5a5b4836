// What a message touches, in policy's words: a tool, a prompt, a resource, or the bare method.

import type { TargetKind } from '../protocol/decision.ts'
import { RpcError } from '../protocol/errors.ts'
import { isRecord } from '../protocol/json.ts'
import { REQUEST_META, RPC } from '../protocol/mcp.ts'
import { isOpenMethod } from '../protocol/methods.ts'

export interface Target {
  readonly kind: TargetKind
  readonly name: string
}

/** Which parameter names the thing, for methods that name one. */
const NAMED: ReadonlyMap<string, { kind: TargetKind; key: string }> = new Map([
  ['tools/call', { kind: 'tool', key: 'name' }],
  ['prompts/get', { kind: 'prompt', key: 'name' }],
  ['resources/read', { kind: 'resource', key: 'uri' }],
  ['resources/subscribe', { kind: 'resource', key: 'uri' }],
  ['resources/unsubscribe', { kind: 'resource', key: 'uri' }],
])

const SUBSCRIPTIONS = new Set(['resources/subscribe', 'resources/unsubscribe'])

const LONGEST_NAME = 8192

type Params = Readonly<Record<string, unknown>> | undefined

export function targetOf(method: string, params: Params): Target {
  const named = NAMED.get(method)
  // MCP 2026-07-28 took subscriptions of this form out: one that names nothing is the server's to call unknown (404, -32601).
  if (named === undefined || (SUBSCRIPTIONS.has(method) && params?.['uri'] === undefined))
    return unnamed(method, params)
  return { kind: named.kind, name: checkName(params?.[named.key], named.key) }
}

function unnamed(method: string, params: Params): Target {
  if (method === 'completion/complete') return referenced(params?.['ref'])
  return { kind: 'method', name: method }
}

function referenced(ref: unknown): Target {
  if (isRecord(ref) && ref['type'] === 'ref/prompt') return { kind: 'prompt', name: checkName(ref['name'], 'ref.name') }
  if (isRecord(ref) && ref['type'] === 'ref/resource')
    return { kind: 'resource', name: checkName(ref['uri'], 'ref.uri') }
  throw invalidParams('ref')
}

/**
 * What conditions may read as `args`: what a tool or a prompt is called with. A completion is judged by what is filled in so far, as the
 * prompt would be.
 */
export function argumentsOf(method: string, params: Params): Params {
  if (method === 'tools/call' || method === 'prompts/get') return recordOf(params?.['arguments'], 'arguments')
  if (method !== 'completion/complete') return undefined
  const context = recordOf(params?.['context'], 'context')
  const filled = recordOf(context?.['arguments'], 'context.arguments')
  const { name, value } = recordOf(params?.['argument'], 'argument') ?? {}
  return typeof name === 'string' ? { ...filled, [name]: value } : filled
}

/** `null` is what some write for nothing. */
function recordOf(value: unknown, key: string): Params {
  if (value === undefined || value === null) return undefined
  if (isRecord(value)) return value
  throw invalidParams(key)
}

/** `false`: policy is asked by name. Lists are asked for like any bare method, and filtered besides. */
export function isOpen({ wordless, method }: { readonly wordless: boolean; readonly method: string }): boolean {
  return wordless || isOpenMethod(method)
}

/**
 * Tasks are closed: an upstream tells its callers apart by our one credential, so that a task of one would be a task of all.
 * Methods answer as unknown ones do; what would make or watch a task is refused.
 */
export const isTaskMethod = (method: string): boolean => method.startsWith('tasks/')

export function checkNoTask(method: string, params: Params): void {
  if (params !== undefined && 'task' in params) throw invalidParams('task')
  const filter = method === 'subscriptions/listen' ? params?.['notifications'] : undefined
  if (isRecord(filter) && 'taskIds' in filter) throw invalidParams('notifications.taskIds')
}

/** What we say of callers to servers goes under this name, so nobody else's word may stand there. */
const OUR_META = /^portcullis\//i
/** W3C Baggage §3.3.2; trace fields are shorter. */
const LONGEST_BAGGAGE = 8192

/** `_meta` goes on as it came, and no rule reads it. Catalogue row E38. */
export function checkMeta(params: Params): void {
  const meta = params?.['_meta']
  if (!isRecord(meta)) return
  for (const key in meta) if (!REQUEST_META.has(key) && OUR_META.test(key)) throw invalidParams('_meta')
  const { baggage } = meta
  if (typeof baggage === 'string' && baggage.length > LONGEST_BAGGAGE) throw invalidParams('_meta.baggage')
}

/** Each is judged like a call: one request must not cost what thousands do. */
const MOST_LISTENED = 256

/** URIs that a `subscriptions/listen` wants to hear of (MCP 2026-07-28): each is decided like a `resources/subscribe`. */
export function listenedResources(method: string, params: Params): readonly string[] {
  if (method !== 'subscriptions/listen') return []
  const filter = params?.['notifications']
  const uris = isRecord(filter) ? filter['resourceSubscriptions'] : undefined
  if (uris === undefined) return []
  if (!Array.isArray(uris) || uris.length > MOST_LISTENED) throw invalidParams('notifications.resourceSubscriptions')
  return uris.map((uri) => checkName(uri, 'notifications.resourceSubscriptions'))
}

function checkName(value: unknown, key: string): string {
  if (typeof value === 'string' && value.length <= LONGEST_NAME) return value
  throw invalidParams(key)
}

const invalidParams = (key: string) => new RpcError(RPC.invalidParams, 'bad_params', `Invalid params: ${key}`)
