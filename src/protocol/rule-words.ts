// Rules, roles and scopes as people write them: which words are a target, and which a subject. The configuration refuses what is
// none with its line; policy compiles the same words.
import { compileGlob } from './glob.ts'
import { idleMethodRule } from './methods.ts'
import { isTemplate, templateFlaw } from './uri-template.ts'

/** Kind, server, name. `tool:a/x` and `Prompt:a/x` would be read as servers of that name, and a deny for them would stop nothing. */
export const TARGET =
  /^(?:(prompt|resource|method):)?(?!(?:[Tt]ools?|[Pp]rompts?|[Rr]esources?|[Mm]ethods?):\D)([^/\s]+)\/(\S+)$/
export const TARGET_FORM =
  'Write server/tool, prompt:server/name, resource:server/uri or method:server/method; * is a wildcard.'

// A name with a star would match nobody: an allow would be useless, a deny an open gate.
export const SUBJECT = /^(?:\*|anonymous|(?:user|group|role|team|client|token):[^*\r\n]+|claim:[^*=\r\n]+=[^*\r\n]+)$/
export const SUBJECT_FORM =
  'Write *, anonymous, user:…, group:…, role:…, team:…, client:…, token:… or claim:PATH=VALUE, without a wildcard in the name.'

export const MEMBER = /^(?:group|team|user):[^*\r\n]+$/
export const MEMBER_FORM = 'Write group:NAME, team:NAME or user:EMAIL, without a wildcard in the name.'

/** What is wrong with the variables of a resource's URI. */
export function uriFlaw(text: string): string | undefined {
  const [, kind, , uri = ''] = TARGET.exec(text) ?? []
  return kind === 'resource' && isTemplate(uri) ? templateFlaw(uri) : undefined
}

/** These call something, and are decided by its name. */
const CALLING_METHODS = ['tools/call', 'prompts/get', 'resources/read'] as const

/** A deny that seems to stop every call and stops none is worse than none: what is wrong with it, and what to write instead. */
export function methodFlaw(text: string, effect: 'allow' | 'deny'): string | undefined {
  const [, kind, server = '', pattern = ''] = TARGET.exec(text) ?? []
  if (kind !== 'method') return undefined
  const name = compileGlob(pattern)
  const calling = CALLING_METHODS.find((method) => name.matches(method))
  if (calling === undefined || (effect === 'allow' && !name.literal)) return idleMethodRule(effect, name, server)
  return (
    `This does not reach ${calling}, which goes by what it names. ` +
    `Write ${server}/NAME, prompt:${server}/NAME, resource:${server}/URI, or ${server}/* for the whole server.`
  )
}
