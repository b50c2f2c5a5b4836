// The schema as a list: every setting with its path, kind, default and sentence. Variables, masking and docs are derived from it.
import { z } from 'zod'
import { Config } from './schema.ts'

type Schema = z.core.$ZodType
export type Path = readonly (string | number)[]

export type SettingKind = 'text' | 'boolean' | 'number' | 'duration' | 'size' | 'choice' | 'list' | 'json'

export interface Setting {
  /** `oauth.accessTokenTtl`; inside a list of objects `servers[].url`. */
  readonly path: string
  readonly kind: SettingKind
  readonly choices: readonly string[]
  /** In the form people write. */
  readonly preset: unknown
  readonly required: boolean
  /** `url`: only the password inside it is secret. */
  readonly secret: boolean | 'url'
  readonly description: string
}

export interface Bare {
  readonly schema: Schema
  readonly preset: unknown
  readonly required: boolean
  readonly unit: string | undefined
  readonly secret: boolean | 'url'
  readonly description: string
}

/** Takes defaults, optionality and transformations off a schema and keeps what they say. */
export function bare(schema: Schema): Bare {
  const layers: Schema[] = [schema]
  let preset: unknown
  let required = true
  for (let at = schema; ; ) {
    if (at instanceof z.core.$ZodDefault) preset = at._zod.def.defaultValue
    if (at instanceof z.core.$ZodDefault || at instanceof z.core.$ZodPrefault || at instanceof z.core.$ZodOptional)
      required = false
    const inner = innerOf(at)
    if (inner === undefined) break
    layers.push(inner)
    at = inner
  }
  const meta: Record<string, unknown> = Object.assign(
    {},
    ...layers.reverse().map((layer) => z.globalRegistry.get(layer)),
  )
  const secret = meta['secret'] === 'url' ? 'url' : meta['secret'] === true
  const unit = typeof meta['unit'] === 'string' ? meta['unit'] : undefined
  return { schema: layers[0] ?? schema, preset, required, unit, secret, description: String(meta['description'] ?? '') }
}

function innerOf(schema: Schema): Schema | undefined {
  if (
    schema instanceof z.core.$ZodDefault ||
    schema instanceof z.core.$ZodPrefault ||
    schema instanceof z.core.$ZodOptional
  )
    return schema._zod.def.innerType
  return schema instanceof z.core.$ZodPipe ? schema._zod.def.in : undefined
}

export const isUnion = (schema: Schema): schema is z.core.$ZodUnion => schema instanceof z.core.$ZodUnion

export function kindOf({ schema, unit }: Bare): SettingKind {
  if (unit === 'duration' || unit === 'size') return unit
  if (schema instanceof z.core.$ZodBoolean) return 'boolean'
  if (schema instanceof z.core.$ZodNumber) return 'number'
  if (schema instanceof z.core.$ZodEnum || schema instanceof z.core.$ZodLiteral) return 'choice'
  if (schema instanceof z.core.$ZodArray) return kindOf(bare(schema._zod.def.element)) === 'json' ? 'json' : 'list'
  if (isUnion(schema)) return unionKind(schema._zod.def.options.map((option) => kindOf(bare(option))))
  return schema instanceof z.core.$ZodString ? 'text' : 'json'
}

/** A text given to a union is the list, or else the text, that one of its members takes. */
const unionKind = (members: readonly SettingKind[]): SettingKind =>
  (['list', 'text'] as const).find((kind) => members.includes(kind)) ?? 'json'

/** Keys an object of this schema may have; a union allows those of all its members. */
export function knownKeys(schema: Schema): string[] {
  const { schema: core } = bare(schema)
  if (core instanceof z.core.$ZodObject) return Object.keys(core._zod.def.shape)
  if (isUnion(core)) return [...new Set(core._zod.def.options.flatMap(knownKeys))]
  return []
}

/** The schemas that may judge the value at a path: one, or several where the path crosses a union. */
export function schemasAt(path: Path, root: Schema = Config): Schema[] {
  const [key, ...rest] = path
  if (key === undefined) return [root]
  return step(bare(root).schema, key).flatMap((next) => schemasAt(rest, next))
}

function step(schema: Schema, key: string | number): Schema[] {
  if (isUnion(schema)) return schema._zod.def.options.flatMap((option) => step(bare(option).schema, key))
  if (schema instanceof z.core.$ZodArray) return [schema._zod.def.element]
  if (schema instanceof z.core.$ZodRecord) return [schema._zod.def.valueType]
  const next = schema instanceof z.core.$ZodObject ? schema._zod.def.shape[String(key)] : undefined
  return next === undefined ? [] : [next]
}

export const choicesOf = (schema: Schema): string[] =>
  schema instanceof z.core.$ZodEnum
    ? Object.values(schema._zod.def.entries).map(String)
    : schema instanceof z.core.$ZodLiteral
      ? schema._zod.def.values.map(String)
      : []

/** Settings that a single value can set: what has a variable. Lists of objects are one setting, written as JSON. */
export function listSettings(schema: Schema = Config, path: readonly string[] = []): Setting[] {
  const at = bare(schema)
  if (!(at.schema instanceof z.core.$ZodObject)) return [settingOf(at, path.join('.'))]
  return Object.entries(at.schema._zod.def.shape).flatMap(([key, next]) => listSettings(next, [...path, key]))
}

/** What an entry of a list or a record of objects may hold, as further settings below it. */
export function listEntrySettings(schema: Schema, path: string): Setting[] {
  const at = bare(schema)
  const { schema: core } = at
  if (core instanceof z.core.$ZodArray) return listEntrySettings(core._zod.def.element, `${path}[]`)
  if (core instanceof z.core.$ZodRecord) return listEntrySettings(core._zod.def.valueType, `${path}.NAME`)
  if (isUnion(core)) return joinMembers(core._zod.def.options.map((option) => listEntrySettings(option, path)))
  if (!(core instanceof z.core.$ZodObject)) return []
  return Object.entries(core._zod.def.shape).flatMap(([key, next]) => {
    const below = `${path}.${key}`
    return [settingOf(bare(next), below), ...listEntrySettings(next, below)]
  })
}

/** Members of a union share settings: each is told once, with the choices of all. */
function joinMembers(members: readonly Setting[][]): Setting[] {
  const joined = new Map<string, Setting>()
  for (const setting of members.flat()) {
    const known = joined.get(setting.path)
    const choices = [...new Set([...(known?.choices ?? []), ...setting.choices])]
    joined.set(setting.path, {
      ...(known ?? setting),
      choices,
      description: known?.description || setting.description,
      required: setting.required && members.every((member) => member.some((other) => other.path === setting.path)),
    })
  }
  return [...joined.values()]
}

function settingOf(at: Bare, path: string): Setting {
  const { preset, required, secret, description } = at
  return { path, kind: kindOf(at), choices: choicesOf(at.schema), preset, required, secret, description }
}
