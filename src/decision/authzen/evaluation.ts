// What a service asks (AuthZEN Authorization API 1.0 §5 to §7): one evaluation, or many with common defaults. Members that are not known
// are ignored, as the specification wants; what is needed and cannot be read is refused, never guessed.
import { z } from 'zod'
import { RequestError } from '../../protocol/errors.ts'
import { isRecord } from '../../protocol/json.ts'

const MOST_EVALUATIONS = 1000
const LONGEST_NAME = 8192

const name = z.string().min(1).max(LONGEST_NAME)
const properties = z.record(z.string(), z.unknown()).default({})
const entity = z.object({ type: name, id: name, properties })
const evaluation = z.object({
  subject: entity,
  action: z.object({ name, properties }),
  resource: entity,
  context: z.record(z.string(), z.unknown()).optional(),
})
export type Evaluation = z.output<typeof evaluation>

const SEMANTICS = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const
export type Semantic = (typeof SEMANTICS)[number]

/** Throws RequestError 400. */
export function parseEvaluation(body: unknown): Evaluation {
  const read = evaluation.safeParse(body)
  if (!read.success) throw unreadable(read.error)
  return read.data
}

export interface Evaluations {
  /** Read one by one: a bad one fails alone (§7.2). Each throws RequestError 400. */
  readonly each: readonly (() => Evaluation)[]
  readonly semantic: Semantic
}

const batch = z.object({
  evaluations: z.array(z.unknown()).max(MOST_EVALUATIONS, `At most ${MOST_EVALUATIONS} evaluations.`).default([]),
  options: z.object({ evaluations_semantic: z.enum(SEMANTICS).default('execute_all') }).prefault({}),
})

/** `undefined`: there are none, and the request is a single evaluation (§7.1). Throws RequestError 400. */
export function parseEvaluations(body: unknown): Evaluations | undefined {
  const read = batch.safeParse(body)
  if (!read.success) throw unreadable(read.error)
  const { evaluations, options } = read.data
  if (evaluations.length === 0) return undefined
  const defaults = isRecord(body) ? body : {}
  return {
    each: evaluations.map((own) => () => parseEvaluation(withDefaults(own, defaults))),
    semantic: options.evaluations_semantic,
  }
}

type Members = Readonly<Record<string, unknown>>

/** §7.1.1: a member of the evaluation stands in place of the common one; what the common one has to have is taken from it. */
function withDefaults(own: unknown, defaults: Members): unknown {
  if (!isRecord(own)) return own
  return {
    subject: merged(own['subject'], defaults['subject'], ['type', 'id']),
    action: merged(own['action'], defaults['action'], ['name']),
    resource: merged(own['resource'], defaults['resource'], ['type', 'id']),
    context: own['context'] ?? defaults['context'],
  }
}

function merged(own: unknown, common: unknown, required: readonly string[]): unknown {
  if (own === undefined) return common
  if (!isRecord(own) || !isRecord(common)) return own
  return { ...Object.fromEntries(required.map((member) => [member, common[member]])), ...own }
}

function unreadable({ issues: [issue] }: z.ZodError): RequestError {
  const place = issue?.path.join('.') ?? ''
  return new RequestError(400, 'bad_evaluation', `${place === '' ? 'body' : place}: ${issue?.message ?? 'Unreadable.'}`)
}
