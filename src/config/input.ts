// A configuration before it is judged: the values as written, and where each was written.
import { type Origin, type Origins, pathText } from './origins.ts'
import type { Path } from './settings.ts'

export interface Input extends Origins {
  readonly tree: Readonly<Record<string, unknown>>
  get(path: Path): unknown
  /** Replaces the value at a path with everything below it. */
  set(path: Path, value: unknown, origin: Origin): void
  /** Adds the items of a list of another input to the one at a path, each with where it was written. */
  append(path: Path, other: Input, from: Path): void
  /** Takes a section out; answers what it held. Where it was written stays known. */
  take(section: string): unknown
}

export type Tree = Record<string, unknown>
export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const child = (value: unknown, key: string | number): unknown =>
  Array.isArray(value)
    ? value[Number(key)]
    : isTree(value) && Object.hasOwn(value, key)
      ? value[String(key)]
      : undefined

export function createInput(tree: Tree, positions: ReadonlyMap<string, Origin> = new Map()): Input {
  const origins = new Map(positions)
  const find = (path: Path): Origin => {
    for (let length = path.length; length > 0; length--) {
      const origin = origins.get(pathText(path.slice(0, length)))
      if (origin !== undefined) return origin
    }
    return { kind: 'default' }
  }
  const forgetBelow = (place: string): void => {
    for (const known of origins.keys())
      if (known.startsWith(`${place}.`) || known.startsWith(`${place}[`)) origins.delete(known)
  }
  const copyOrigins = (to: Path, other: Input, from: Path): void => {
    origins.set(pathText(to), other.find(from))
    const value = other.get(from)
    const keys = Array.isArray(value) ? value.keys() : isTree(value) ? Object.keys(value) : []
    for (const key of keys) copyOrigins([...to, key], other, [...from, key])
  }
  return {
    tree,
    find,
    get: (path) => path.reduce(child, tree as unknown),
    take(section) {
      const value = child(tree, section)
      delete tree[section]
      return value
    },
    set(path, value, origin) {
      place(tree, path, value)
      forgetBelow(pathText(path))
      origins.set(pathText(path), origin)
    },
    append(path, other, from) {
      const known: unknown = path.reduce(child, tree as unknown) ?? []
      const items = other.get(from)
      if (!Array.isArray(known) || !Array.isArray(items)) return
      for (const index of items.keys()) copyOrigins([...path, known.length + index], other, [...from, index])
      place(tree, path, [...known, ...items])
    },
  }
}

function place(tree: Tree, path: Path, value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined) return
  if (rest.length === 0) {
    tree[String(key)] = value
    return
  }
  const below = Object.hasOwn(tree, key) && isTree(tree[key]) ? tree[key] : {}
  tree[String(key)] = below
  place(below, rest, value)
}
