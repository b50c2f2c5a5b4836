// What the schema found wrong, in words: the setting, where it was written, and what to write instead.
import type { z } from 'zod'
import { type Input, isTree } from './input.ts'
import { findLater, isLaterType } from './later.ts'
import { pathText } from './origins.ts'
import { type Problem, placeOf } from './problems.ts'
import { findSeedKey } from './seed-keys.ts'
import { bare, choicesOf, isUnion, knownKeys, type Path, schemasAt } from './settings.ts'
import { findNearest } from './suggest.ts'

type Issue = z.core.$ZodIssue
type Schema = z.core.$ZodType
const keys = (path: readonly PropertyKey[]): Path => path.map((key) => (typeof key === 'number' ? key : String(key)))

export function problemsOf(issues: readonly Issue[], input: Input): Problem[] {
  return issues.flatMap((issue) => problemOf(issue, keys(issue.path), input))
}

function problemOf(issue: Issue, path: Path, input: Input): Problem[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...path, key], input))
  if (issue.code === 'invalid_union') return unionProblems(issue, path, input)
  // Of a record's key: its own issues say what a key must be.
  if (issue.code === 'invalid_key') return issue.issues.flatMap((inner) => problemOf(inner, path, input))
  const message =
    issue.code === 'invalid_type' && input.get(path) === undefined
      ? 'This setting is required.'
      : issue.message.replace(/^Invalid input: /, '').replace(/^./, (first) => first.toUpperCase())
  return [problemAt(path, input, message.endsWith('.') ? message : `${message}.`)]
}

function problemAt(path: Path, input: Input, message: string, remedy?: string): Problem {
  const place = placeOf(input.find(path))
  return { place, setting: pathText(path), message, ...(remedy === undefined ? {} : { remedy }) }
}

function unknownKey(path: Path, input: Input): Problem {
  const key = String(path.at(-1))
  const later = findLater(path)
  if (later !== undefined)
    return problemAt(path, input, `${pathText(path)} is not available in this version (${later}).`, 'Take it out.')
  const seed = path.length <= 2 ? findSeedKey(path) : undefined
  if (seed !== undefined)
    return problemAt(path, input, `${pathText(path)} is not available in this version (${seed}).`, 'Take it out.')
  const known = schemasAt(path.slice(0, -1)).flatMap((schema) => keysMeant(schema, input.get(path.slice(0, -1))))
  const nearest = findNearest(key, known)
  const remedy = nearest === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean ${JSON.stringify(nearest)}?`
  return problemAt(path, input, `There is no setting ${JSON.stringify(key)} here.`, remedy)
}

/** A union's members are told apart by the keys only they require, unless one alone has keys; then only the one that was meant speaks. */
function unionProblems(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, input: Input): Problem[] {
  const tag = 'discriminator' in issue && typeof issue.discriminator === 'string' ? issue.discriminator : undefined
  if (tag !== undefined) return [wrongTag(path.at(-1) === tag ? path : [...path, tag], input)]
  const value = input.get(path)
  if (!isTree(value)) return plainProblems(issue, path, input)
  // Both kinds of servers share what is below them.
  const members = [...new Set(schemasAt(path).flatMap(membersOf))]
  const marks = members.flatMap((member) => marksOf(member, members)).join(', ')
  const [only, ...further] = members.filter((member) => knownKeys(member).length > 0)
  const meant = only !== undefined && further.length === 0 ? [only] : membersMeant(members, value)
  if (meant.length === 0) return [problemAt(path, input, `One of ${marks} is required.`), ...strayKeys(path, input)]
  if (meant.length > 1) return [problemAt(path, input, `Only one of ${marks} can be given.`)]
  const errors = issue.errors.filter((_, index) => members[index] === meant[0]).flat()
  return errors.flatMap((inner) => problemOf(inner, [...path, ...keys(inner.path)], input))
}

/** Of a text, a number, a list: the one member that takes such a thing says what is wrong with it, else the union itself. */
function plainProblems(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, input: Input): Problem[] {
  const [judged, ...further] = issue.errors.filter((errors) => !errors.some(isOfAnotherKind))
  if (judged !== undefined && further.length === 0)
    return judged.flatMap((inner) => problemOf(inner, [...path, ...keys(inner.path)], input))
  return [problemAt(path, input, issue.message === 'Invalid input' ? 'This cannot be read here.' : issue.message)]
}

const isOfAnotherKind = ({ code, path }: Issue): boolean => code === 'invalid_type' && path.length === 0

function membersOf(schema: Schema): readonly Schema[] {
  const { schema: core } = bare(schema)
  return isUnion(core) ? core._zod.def.options : []
}

const membersMeant = (members: readonly Schema[], value: Record<string, unknown>): Schema[] =>
  members.filter((member) => marksOf(member, members).some((key) => Object.hasOwn(value, key)))

function keysMeant(schema: Schema, value: unknown): string[] {
  const members = membersOf(schema)
  const named = isTree(value) ? members.filter((member) => isNamed(member, value)) : []
  const meant = named.length === 0 && isTree(value) ? membersMeant(members, value) : named
  return meant.length > 0 ? meant.flatMap(knownKeys) : knownKeys(schema)
}

/** The kind that the value's own `type` names: what another kind knows helps nobody here. */
const isNamed = (member: Schema, { type }: Record<string, unknown>): boolean =>
  schemasAt(['type'], member).some((schema) => choicesOf(bare(schema).schema).some((choice) => choice === type))

/** Keys of one member that no other member knows, and that it cannot do without. */
function marksOf(member: Schema, members: readonly Schema[]): string[] {
  const others = new Set(members.filter((other) => other !== member).flatMap(knownKeys))
  return knownKeys(member).filter((key) => {
    const [schema] = schemasAt([key], member)
    return !others.has(key) && schema !== undefined && bare(schema).required
  })
}

function strayKeys(path: Path, input: Input): Problem[] {
  const value = input.get(path)
  const known = schemasAt(path).flatMap(knownKeys)
  if (!isTree(value)) return []
  return Object.keys(value)
    .filter((key) => !known.includes(key))
    .map((key) => unknownKey([...path, key], input))
}

function wrongTag(path: Path, input: Input): Problem {
  const value = input.get(path)
  const name = pathText(path)
  if (isLaterType(path, value))
    return problemAt(path, input, `${name}: ${String(value)} is not available in this version.`)
  const choices = tagChoices(path)
  const nearest = typeof value === 'string' ? findNearest(value, choices) : undefined
  if (value === undefined) return problemAt(path, input, 'This setting is required.', `One of ${choices.join(', ')}.`)
  return problemAt(
    path,
    input,
    'There is no such kind.',
    nearest === undefined ? `One of ${choices.join(', ')}.` : `Did you mean ${JSON.stringify(nearest)}?`,
  )
}

const tagChoices = (path: Path): string[] => schemasAt(path).flatMap((schema) => choicesOf(bare(schema).schema))
