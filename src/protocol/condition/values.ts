// JSON as conditions see it: whole numbers are integers, so that `args.n + 1` and `args.n % 2` are what people expect. Members are
// converted when they are asked for.
import { type CelInput, type CelMap, celError, celList, celMap } from '@bufbuild/cel'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { isRecord } from '../json.ts'
import { type Fact, MISSING, PartlyKnown, UNKNOWN } from './language.ts'
import { spend } from './meter.ts'

/** Throws for what cannot be judged exactly. */
function celOf(value: unknown): CelInput {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number') return celNumber(value)
  if (Array.isArray(value)) {
    spend(1 + value.length / 8)
    return celList(value.map(celOf))
  }
  if (value instanceof Date) return timestampFromDate(value)
  if (isRecord(value)) return celMap(new Members(value))
  throw celError('this is no value of JSON')
}

/** RFC 8259 §6: beyond 2^53 readers disagree on what a number is. */
function celNumber(value: number): CelInput {
  if (Number.isSafeInteger(value)) return BigInt(value)
  if (Number.isInteger(value)) throw celError('this integer is not exact')
  return value
}

const partlyKnown = new WeakSet<object>()

/** An error is a value to the library, which its types do not say: where it stands, CEL's logic passes it by when the rest decides. */
const errorValue = (message: string): CelInput => celError(message) as unknown as CelInput

/** What CEL's logic cannot look through: `false && unknown` is false, `true && unknown` is an error. */
const UNKNOWN_VALUE = errorValue('unknown')
const MISSING_VALUE = errorValue('not there')

export function celFact(fact: Fact): CelInput {
  if (fact === UNKNOWN) return UNKNOWN_VALUE
  if (fact === MISSING) return MISSING_VALUE
  if (!(fact instanceof PartlyKnown)) return celMap(new Members(fact))
  const map = celMap(new PartlyKnownMembers(fact.known))
  partlyKnown.add(map)
  return map
}

/** Throws where nobody knows. */
export function hasMember(map: CelMap, name: string | number | bigint | boolean): boolean {
  if (map.get(name) !== undefined) return true
  if (partlyKnown.has(map)) throw celError('not known')
  return false
}

/** An object's own members, and nothing that it inherits. */
class Members implements ReadonlyMap<string, CelInput> {
  readonly #members: Readonly<Record<string, unknown>>

  constructor(members: Readonly<Record<string, unknown>>) {
    this.#members = members
  }

  get size(): number {
    return this.#names().length
  }

  get(name: string): CelInput | undefined {
    if (typeof name !== 'string' || !Object.hasOwn(this.#members, name)) return undefined
    const value = this.#members[name]
    return value === undefined ? undefined : celOf(value)
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  keys(): MapIterator<string> {
    return this.#names().values()
  }

  *values(): MapIterator<CelInput> {
    for (const [, value] of this.entries()) yield value
  }

  *entries(): MapIterator<[string, CelInput]> {
    for (const name of this.#names()) yield [name, celOf(this.#members[name])]
  }

  [Symbol.iterator](): MapIterator<[string, CelInput]> {
    return this.entries()
  }

  forEach(visit: (value: CelInput, name: string, map: ReadonlyMap<string, CelInput>) => void): void {
    for (const [name, value] of this.entries()) visit(value, name, this)
  }

  #names(): string[] {
    const names = Object.keys(this.#members).filter((name) => this.#members[name] !== undefined)
    spend(1 + names.length / 4)
    return names
  }
}

class PartlyKnownMembers extends Members {
  override keys(): MapIterator<string> {
    throw celError('not known')
  }

  override entries(): MapIterator<[string, CelInput]> {
    throw celError('not known')
  }

  override get size(): number {
    throw celError('not known')
  }
}
