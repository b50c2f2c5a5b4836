// Whether targets (`server/tool`, `prompt:server/name` …) cover a call: what a scope opens, what an API token reaches.
import type { Call } from '../protocol/decision.ts'
import { isStandardMethod } from '../protocol/methods.ts'
import { isNormalUri, spellingsOf } from './normal-uri.ts'
import { foldedTarget, parseTarget, type Target } from './target.ts'

/** `where` names the setting for the operator. */
export function compileTargets(texts: readonly string[], where: string): readonly Target[] {
  const written = texts.map((text) => parseTarget(text, where))
  return [
    ...written,
    ...written.filter(({ name }) => isNormalUri(name.pattern)).flatMap((one) => foldedTarget(one) ?? []),
  ]
}

/** As in policy: one spelling of a resource only, and what a URL parser makes of it must be covered as well. */
export function coversCall(targets: readonly Target[], call: Call): boolean {
  if (call.kind !== 'resource') return targets.some((target) => covers(target, call))
  // Where every resource is covered, no spelling slips past.
  if (targets.some((target) => covers(target, { ...call, name: '' }))) return true
  const spellings = isNormalUri(call.name) ? spellingsOf(call.name) : []
  return (
    spellings.length > 0 &&
    spellings.every((name) => isNormalUri(name) && targets.some((target) => covers(target, { ...call, name })))
  )
}

/**
 * Some of what the targets speak of is in this call: what needs a scope of its own. Where covering is strict about spellings this is
 * strict the other way round: a resource in a doubtful spelling may be any of the server.
 */
export function touchesCall(targets: readonly Target[], call: Call): boolean {
  const ofServer = targets.filter(({ server }) => server.matches(call.server))
  if (ofServer.length === 0) return false
  const ofKind = ofServer.filter(({ kind }) => kind === 'everything' || kind === call.kind)
  if (call.kind !== 'resource') return ofKind.some(({ kind, name }) => kind === 'everything' || name.matches(call.name))
  if (!isNormalUri(call.name)) return ofKind.length > 0
  const spellings = spellingsOf(call.name)
  return ofKind.some(({ kind, name }) => kind === 'everything' || spellings.some((uri) => name.matches(uri)))
}

/** All of a server, whatever the call. */
export const coversServer = (targets: readonly Target[], server: string): boolean =>
  targets.some((target) => target.kind === 'everything' && target.server.matches(server))

export const touchesServer = (targets: readonly Target[], server: string): boolean =>
  targets.some((target) => target.server.matches(server))

function covers({ server, kind, name }: Target, call: Call): boolean {
  if (!server.matches(call.server)) return false
  // A bare method of the standard is open to whoever may use some part of the server, as it is in policy.
  if (kind === 'everything' || (call.kind === 'method' && isStandardMethod(call.name))) return true
  return kind === call.kind && name.matches(call.name)
}
