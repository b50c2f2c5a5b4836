// Cases of `portcullis policy test`: who, which call, and what is expected. Read like the configuration, each with its line.
import { z } from 'zod'
import { readDocument } from '../config/document.ts'
import type { Input } from '../config/input.ts'
import { pathText } from '../config/origins.ts'
import { type Problem, placeOf } from '../config/problems.ts'
import type { Environment } from '../config/substitute.ts'
import { findNearest } from '../config/suggest.ts'
import { OperatorError } from '../protocol/errors.ts'

const names = z.array(z.string()).default([])
const who = z.strictObject({
  /** Somebody without a credential. */
  anonymous: z.boolean().default(false),
  user: z.string().min(1).optional(),
  email: z.string().includes('@').toLowerCase().optional(),
  name: z.string().optional(),
  groups: names,
  roles: names,
  teams: names,
  client: z.string().optional(),
  token: z.string().optional(),
  kind: z.enum(['person', 'service', 'agent']).default('person'),
  method: z
    .enum(['access_token', 'external_token', 'api_token', 'proxy', 'edge', 'certificate', 'session', 'password'])
    .default('access_token'),
  issuer: z.string().optional(),
  scopes: z.array(z.string()).optional(),
  reach: z.array(z.string()).optional(),
  claims: z.record(z.string(), z.unknown()).default({}),
})

const call = z
  .strictObject({
    server: z.string().min(1),
    tool: z.string().optional(),
    prompt: z.string().optional(),
    resource: z.string().optional(),
    method: z.string().optional(),
    /** For a virtual server, where two of its servers have a thing of this name. */
    behind: z
      .string()
      .regex(/^[^/\s]+\/\S+$/, 'Write server/name.')
      .optional(),
    args: z.record(z.string(), z.unknown()).default({}),
    definition: z.record(z.string(), z.unknown()).optional(),
    request: z
      .strictObject({
        address: z.string().default('127.0.0.1'),
        time: z
          .string()
          .refine((text) => Number.isFinite(Date.parse(text)), 'Write a time such as 2026-11-21T10:00:00Z.')
          .default('2026-01-01T12:00:00Z'),
        era: z.enum(['modern', 'legacy']).default('modern'),
      })
      .prefault({}),
    answers: z.record(z.string(), z.boolean()).default({}),
  })
  .refine(({ tool, prompt, resource, method }) => [tool, prompt, resource, method].filter(isThere).length === 1, {
    message: 'Name one of tool, prompt, resource and method.',
  })

const policyCase = z.strictObject({
  name: z.string().optional(),
  who,
  call,
  expect: z.enum(['allow', 'deny', 'listed', 'hidden']),
  rule: z.string().optional(),
  reason: z.string().optional(),
})

const file = z.strictObject({ cases: z.array(policyCase).min(1, 'There is no case.') })

export type PolicyCase = z.output<typeof policyCase> & { readonly place: string }

const isThere = (value: unknown): boolean => value !== undefined

/** Throws OperatorError with every problem and its place. `path` is the file as messages call it. */
export function readCases(text: string, path: string, env: Environment): readonly PolicyCase[] {
  const { input, problems } = readDocument(text, path, env)
  if (problems.length > 0) throw unusable(path, problems)
  const result = file.safeParse(input.tree)
  if (!result.success) throw unusable(path, problemsOf(result.error.issues, input))
  return result.data.cases.map((one, at) => ({ ...one, place: placeOf(input.find(['cases', at])) }))
}

function problemsOf(issues: readonly z.core.$ZodIssue[], input: Input): readonly Problem[] {
  const at = (path: readonly PropertyKey[], message: string): Problem => {
    const keys = path.map((key) => (typeof key === 'number' ? key : String(key)))
    return { place: placeOf(input.find(keys)), setting: pathText(keys), message }
  }
  return issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => at([...issue.path, key], strange(key)))
      : [at(issue.path, issue.message)],
  )
}

const KEYS = [policyCase, who, call, call.shape.request.unwrap()].flatMap(({ shape }) => Object.keys(shape))

function strange(key: string): string {
  const nearest = findNearest(key, KEYS)
  return `There is no "${key}" here.${nearest === undefined ? '' : ` Did you mean "${nearest}"?`}`
}

function unusable(path: string, problems: readonly Problem[]): OperatorError {
  const lines = problems.map(({ place, setting, message }) => `  ${place}  ${setting ?? ''}\n    ${message}`)
  return new OperatorError(`The cases of ${path} cannot be used:\n\n${lines.join('\n')}\n`, { exitCode: 78 })
}
