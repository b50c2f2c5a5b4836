// What a rule or a scope is about: `server/tool`, `prompt:server/name`, `resource:server/uri`, `method:server/method`.
import type { TargetKind } from '../protocol/decision.ts'
import { OperatorError } from '../protocol/errors.ts'
import { compileGlob, type Glob } from '../protocol/glob.ts'
import { TARGET, TARGET_FORM } from '../protocol/rule-words.ts'
import { compileTemplate, isTemplate, templateFlaw, type UriTemplate } from '../protocol/uri-template.ts'
import { foldUri } from './normal-uri.ts'

export interface Target {
  readonly text: string
  /** `everything` is `server/*`: the tools, prompts, resources and bare methods of a server. */
  readonly kind: TargetKind | 'everything'
  readonly server: Glob
  readonly name: Glob | UriTemplate
}

/** `where` names the setting for the operator. */
export function parseTarget(text: string, where: string): Target {
  const match = TARGET.exec(text)
  if (!match) throw new OperatorError(`${where}: "${text}" is not a target. ${TARGET_FORM}`)
  const server = compileGlob(match[2] ?? '')
  const name = compileName(match[1], match[3] ?? '')
  // Without a prefix a pattern is about tools, save the bare `*`: who writes `github/*` means the server, not a part of it.
  return { text, kind: kindOf(match[1]) ?? (name.pattern === '*' ? 'everything' : 'tool'), server, name }
}

/** The target for the other text that a URL parser makes of its pattern. */
export function foldedTarget(target: Target): Target | undefined {
  const folded = target.kind === 'resource' ? foldPattern(target.name.pattern) : undefined
  return folded === undefined ? undefined : { ...target, name: compileName(target.kind, folded) }
}

const compileName = (kind: string | undefined, text: string): Glob | UriTemplate =>
  kind === 'resource' && isTemplate(text) && templateFlaw(text) === undefined
    ? compileTemplate(text)
    : compileGlob(text)

/** A parser would encode the braces of variables: they are held by words that it leaves alone. */
function foldPattern(pattern: string): string | undefined {
  if (!isTemplate(pattern)) return foldUri(pattern)
  const variables = pattern.match(/\{\+?\w+\}/g) ?? []
  const held = variables.map((_, at) => `qzv${at}vzq`)
  if (held.some((word) => pattern.toLowerCase().includes(word))) return undefined
  const folded = foldUri(variables.reduce((text, variable, at) => text.replace(variable, held[at] ?? ''), pattern))
  if (folded === undefined || held.some((word) => folded.split(word).length !== 2)) return undefined
  return held.reduce((text, word, at) => text.replace(word, variables[at] ?? ''), folded)
}

function kindOf(prefix: string | undefined): 'prompt' | 'resource' | 'method' | undefined {
  return prefix === 'prompt' || prefix === 'resource' || prefix === 'method' ? prefix : undefined
}
