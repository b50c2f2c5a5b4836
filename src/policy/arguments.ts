// The arguments that conditions read, as the record keeps them: enough to decide again, and no more.
import { holdsSecret } from '../observe/redact.ts'
import { isRecord } from '../protocol/json.ts'

const MOST_FIELDS = 32
const MOST_BYTES = 2048
const LONGEST_TEXT = 256

/** Names what was read and is too large to keep, or a secret; whoever decides again must not guess it. */
export const LEFT_OUT = '…'

type Path = readonly string[]
type Tree = Record<string, unknown>

/** `undefined` where nothing was read. An empty path reads all. */
export function readArguments(
  args: Readonly<Record<string, unknown>>,
  paths: readonly Path[],
): Readonly<Record<string, unknown>> | undefined {
  if (paths.length === 0) return undefined
  const wanted = paths.some((path) => path.length === 0) ? Object.keys(args).map((name) => [name]) : paths
  const kept: Tree = {}
  const leftOut: string[] = []
  let bytes = 2
  for (const [at, path] of distinct(wanted).entries()) {
    const value = valueAt(args, path)
    if (value === undefined) continue
    const size = path.join('.').length + sizeOf(value)
    if (at < MOST_FIELDS && bytes + size <= MOST_BYTES && !isSecretAt(path, value)) {
      bytes += size
      place(kept, path, value)
    } else if (leftOut.length < MOST_FIELDS) leftOut.push(path.join('.').slice(0, 64))
  }
  return leftOut.length === 0 ? kept : { ...kept, [LEFT_OUT]: leftOut }
}

/** A password that a rule only asks for (`has(args.password)`) is none of the record's business, nor of its sinks. */
const isSecretAt = (path: Path, value: unknown): boolean =>
  holdsSecret(
    '',
    path.reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), value),
  )

/** A path inside another one is read with it. */
function distinct(paths: readonly Path[]): readonly Path[] {
  const keys = new Map(paths.map((path) => [JSON.stringify(path), path]))
  return [...keys.values()].filter(
    (path) => !path.some((_, length) => length > 0 && keys.has(JSON.stringify(path.slice(0, length)))),
  )
}

function valueAt(args: Readonly<Record<string, unknown>>, path: Path): unknown {
  let value: unknown = args
  for (const name of path) {
    if (!isRecord(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

/** About as many bytes as it is in JSON, given up where it is too large anyway. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string')
    return value.length > LONGEST_TEXT ? Number.POSITIVE_INFINITY : Buffer.byteLength(value) + 2
  if (typeof value !== 'object' || value === null) return String(value).length
  let size = 2
  for (const [name, inner] of Object.entries(value)) {
    size += name.length + 4 + sizeOf(inner)
    if (size > MOST_BYTES) return Number.POSITIVE_INFINITY
  }
  return size
}

function place(tree: Tree, [name = '', ...rest]: Path, value: unknown): void {
  const below = Object.hasOwn(tree, name) ? tree[name] : undefined
  const inner: Tree = isRecord(below) ? below : {}
  if (rest.length > 0) place(inner, rest, value)
  // Defined, not set: `__proto__` is a name like any other here.
  Object.defineProperty(tree, name, {
    value: rest.length === 0 ? value : inner,
    enumerable: true,
    configurable: true,
    writable: true,
  })
}
