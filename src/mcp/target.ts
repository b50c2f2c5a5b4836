// What a message touches, in policy's words: a tool, a prompt, a resource, or the bare method.
import type { TargetKind } from '../protocol/decision.ts'
import { RpcError } from '../protocol/errors.ts'
import { RPC } from '../protocol/mcp.ts'
import { isRecord } from './message.ts'

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

/** The handshake and housekeeping: open to whoever sees the server. Lists are asked for like any bare method, and filtered besides. */
const OPEN = new Set(['initialize', 'ping', 'server/discover', 'response', 'GET', 'DELETE'])
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

/** `false`: policy is asked by name. */
export function isOpen(method: string): boolean {
  return OPEN.has(method) || method.startsWith('notifications/')
}

/** URIs that a `subscriptions/listen` wants to hear of (MCP 2026-07-28): each is decided like a `resources/subscribe`. */
export function listenedResources(method: string, params: Params): readonly string[] {
  if (method !== 'subscriptions/listen') return []
  const filter = params?.['notifications']
  const uris = isRecord(filter) ? filter['resourceSubscriptions'] : undefined
  if (uris === undefined) return []
  if (!Array.isArray(uris)) throw invalidParams('notifications.resourceSubscriptions')
  return uris.map((uri) => checkName(uri, 'notifications.resourceSubscriptions'))
}

function checkName(value: unknown, key: string): string {
  if (typeof value === 'string' && value.length <= LONGEST_NAME) return value
  throw invalidParams(key)
}

const invalidParams = (key: string) => new RpcError(RPC.invalidParams, 'bad_params', `Invalid params: ${key}`)
