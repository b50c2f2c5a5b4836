// What a rule or a scope is about: `server/tool`, `prompt:server/name`, `resource:server/uri`, `method:server/method`.
import type { TargetKind } from '../protocol/decision.ts'
import { OperatorError } from '../protocol/errors.ts'
import { compileGlob, type Glob } from './glob.ts'

export interface Target {
  readonly text: string
  /** `everything` is `server/*`: the tools, prompts, resources and bare methods of a server. */
  readonly kind: TargetKind | 'everything'
  readonly server: Glob
  readonly name: Glob
}

const FORM = /^(?:(prompt|resource|method):)?([^/\s]+)\/(\S+)$/

/** `where` names the setting for the operator. */
export function parseTarget(text: string, where: string): Target {
  const match = FORM.exec(text)
  if (!match) {
    throw new OperatorError(
      `${where}: "${text}" is not a target. Write server/tool, prompt:server/name, resource:server/uri or method:server/method.`,
    )
  }
  const server = compileGlob(match[2] ?? '')
  const name = compileGlob(match[3] ?? '')
  // Without a prefix a pattern is about tools, save the bare `*`: who writes `github/*` means the server, not a part of it.
  return { text, kind: kindOf(match[1]) ?? (name.pattern === '*' ? 'everything' : 'tool'), server, name }
}

function kindOf(prefix: string | undefined): 'prompt' | 'resource' | 'method' | undefined {
  return prefix === 'prompt' || prefix === 'resource' || prefix === 'method' ? prefix : undefined
}
