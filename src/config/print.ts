// `config print`: the configuration in force, as a file one could write, secrets masked, each value with its origin.
import { Document, isMap, isPair, isScalar, isSeq, type Pair } from 'yaml'
import { z } from 'zod'
import { isTree } from './input.ts'
import type { LoadedConfig } from './load.ts'
import { maskSecret } from './mask.ts'
import { describeOrigin } from './origins.ts'
import { Config } from './schema.ts'
import { isVirtual } from './servers.ts'
import { bare, isUnion, knownKeys, type Path, schemasAt } from './settings.ts'

type Schema = z.core.$ZodType

export function printConfig(loaded: Pick<LoadedConfig, 'config' | 'input' | 'origins'>): string {
  const { input, origins, config } = loaded
  // Settled ones are shown as they hold: the URL that follows from `listen`, paths made absolute.
  const settled = new Map<string, unknown>([
    ['server.url', config.server.url],
    // As it is written in a file: a list.
    ['server.allowedOrigins', [config.server.allowedOrigins].flat()],
    ['store.url', config.store.url],
    ['store.directory', config.store.directory],
    ...config.servers.flatMap((server, index) => settledOf(server, `servers.${index}`)),
  ])
  const shown = complete(Config, input.tree, [], settled)
  const document = new Document(shown)
  annotate(document.contents, [], (path) => {
    const written = input.get(path) !== undefined || settled.has(path.join('.'))
    return written ? describeOrigin(origins.find(path)) : 'default'
  })
  // The library puts an empty list and its comment on lines of their own.
  return document.toString({ lineWidth: 0 }).replace(/:\n\s+(\[\]|\{\})\n\s+# /g, ': $1 # ')
}

function settledOf(server: Config['servers'][number], place: string): (readonly [string, unknown])[] {
  if (isVirtual(server)) return []
  const identity = [`${place}.identity`, server.identity] as const
  return 'command' in server ? [[`${place}.cwd`, server.cwd], identity] : [identity]
}

/** The value as written, with what was left out filled in from the schema, in the form people write. */
function complete(schema: Schema, value: unknown, path: Path, settled: ReadonlyMap<string, unknown>): unknown {
  const at = bare(schema)
  const given = settled.get(path.join('.')) ?? value ?? at.preset
  // What may be left out and was is not there: an empty object would say that somebody wrote it.
  if (given === undefined && schema instanceof z.core.$ZodOptional) return undefined
  if (at.secret !== false) return maskSecret(given, at.secret)
  const core = isUnion(at.schema) ? (memberOf(at.schema, given) ?? at.schema) : at.schema
  if (core instanceof z.core.$ZodObject) {
    const tree = isTree(given) ? given : {}
    const entries = Object.entries(core._zod.def.shape).map(
      ([key, next]) => [key, complete(next, tree[key], [...path, key], settled)] as const,
    )
    const told = entries.filter(([, inner]) => inner !== undefined)
    return told.length === 0 && given === undefined ? undefined : Object.fromEntries(told)
  }
  if (core instanceof z.core.$ZodArray && Array.isArray(given))
    return given.map((item, index) => complete(core._zod.def.element, item, [...path, index], settled))
  if (core instanceof z.core.$ZodRecord && isTree(given))
    return Object.fromEntries(
      Object.entries(given).map(([key, inner]) => [
        key,
        complete(core._zod.def.valueType, inner, [...path, key], settled),
      ]),
    )
  return maskSecret(given, false)
}

/** The member of a union that knows every key of the value. */
function memberOf(union: z.core.$ZodUnion, value: unknown): Schema | undefined {
  if (!isTree(value)) return undefined
  const keys = Object.keys(value)
  const fits = (member: Schema) => keys.every((key) => knownKeys(member).includes(key)) && sameTags(member, value)
  const member = union._zod.def.options.find(fits)
  return member === undefined ? undefined : bare(member).schema
}

const sameTags = (member: Schema, value: Record<string, unknown>): boolean =>
  Object.entries(value).every(([key, inner]) =>
    schemasAt([key], member).every((schema) => {
      const { schema: core } = bare(schema)
      if (core instanceof z.core.$ZodLiteral) return core._zod.def.values.some((literal) => literal === inner)
      return !(core instanceof z.core.$ZodEnum) || Object.values(core._zod.def.entries).some((word) => word === inner)
    }),
  )

function annotate(node: unknown, path: Path, origin: (path: Path) => string): void {
  if (isMap(node)) for (const pair of node.items) annotatePair(pair, path, origin)
  if (isSeq(node)) for (const [index, item] of node.items.entries()) annotateItem(item, [...path, index], origin)
}

function annotateItem(item: unknown, path: Path, origin: (path: Path) => string): void {
  if (isScalar(item)) item.comment = ` ${origin(path)}`
  else annotate(item, path, origin)
}

function annotatePair(pair: Pair | unknown, path: Path, origin: (path: Path) => string): void {
  if (!isPair(pair) || !isScalar(pair.key)) return
  const below = [...path, String(pair.key.value)]
  const { value } = pair
  const empty = (isMap(value) || isSeq(value)) && value.items.length === 0
  if (isScalar(value) || empty) {
    if (isScalar(value) || isMap(value) || isSeq(value)) value.comment = ` ${origin(below)}`
    return
  }
  annotate(value, below, origin)
}
