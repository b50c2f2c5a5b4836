// Methods that the standard knows, MCP 2025-03-26 to 2026-07-28, and how rules reach them. Any other is a server's own: nobody can say
// what it touches.
import type { Glob } from './glob.ts'

/** The handshake and housekeeping: open to whoever sees the server, so that no rule closes them one by one. */
const OPEN_METHODS = ['initialize', 'ping', 'server/discover'] as const

/** What clients tell a server in passing. */
const OPEN_NOTIFICATIONS = [
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
] as const

/** Decided by the prompt or resource that they are about. */
const NAMING_METHODS = ['completion/complete', 'resources/subscribe', 'resources/unsubscribe'] as const

const OPEN: ReadonlySet<string> = new Set([...OPEN_METHODS, ...OPEN_NOTIFICATIONS])
const STANDARD: ReadonlySet<string> = new Set([
  ...OPEN,
  ...NAMING_METHODS,
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'logging/setLevel',
  'subscriptions/listen',
])

export const isOpenMethod = (method: string): boolean => OPEN.has(method)

/** Touches nothing of its own, and its answer is filtered where it shows something. */
export const isStandardMethod = (method: string): boolean => STANDARD.has(method)

/** Why a rule for methods would do nothing, and what to write instead. */
export function idleMethodRule(effect: 'allow' | 'deny', name: Glob, server: string): string | undefined {
  const naming = NAMING_METHODS.find((method) => name.matches(method))
  if (naming !== undefined && (name.literal || effect === 'deny'))
    return `${naming} goes by what it names. Write prompt:${server}/NAME, resource:${server}/URI, or ${server}/* for the whole server.`
  if (effect === 'allow') return undefined
  // A pattern over notifications still stops those that are a server's own.
  const open =
    OPEN_METHODS.find((method) => name.matches(method)) ?? OPEN_NOTIFICATIONS.find((method) => name.pattern === method)
  return open && `${open} is open to whoever sees the server. Write ${server}/* to hide the server.`
}
