// The functions of conditions. Each pays before it works, and numbers mix: JSON has one kind of them.
import {
  type CelFunc,
  type CelInput,
  CelScalar,
  type CelValue,
  celEnv,
  celError,
  celFunc,
  celList,
  celMethod,
  celType,
  isCelError,
  isCelList,
  isCelMap,
} from '@bufbuild/cel'
import { strings } from '@bufbuild/cel/ext'
import { isMessage } from '@bufbuild/protobuf'
import { isReflectMessage } from '@bufbuild/protobuf/reflect'
import { TimestampSchema, timestampMs } from '@bufbuild/protobuf/wkt'
import { spend, spendText } from './meter.ts'
import { knownPattern } from './pattern.ts'
import { TIME_PARTS, wallClock } from './time.ts'
import { hasMember } from './values.ts'
import { allForms } from './vocabulary.ts'

const { DYN } = CelScalar
type Values = readonly (CelValue | undefined)[]
type Implementation = (...values: Values) => CelInput

const library = celEnv({ funcs: strings }).funcs

/** A condition calls `@size` where it says `size`: what is not in our table cannot be reached by any spelling. */
export const meteredName = (name: string): string => `@${name}`

/** Ends a loop whose turns have cost too much: `condition` as it is, else an error. */
export const LOOP = '@loop'
/** `has(map.name)`. The library's own takes a member that is null for one that is not there. */
export const HAS = '@has'

export function meteredFunctions(): CelFunc[] {
  return [
    celFunc(LOOP, [DYN, CelScalar.INT], DYN, (condition, weight) => {
      spend(Number(weight))
      return condition
    }),
    celFunc(HAS, [DYN, CelScalar.STRING], CelScalar.BOOL, isMember),
    ...allForms().map(({ name, method, count }) => functionOf(name, method, count)),
  ]
}

function functionOf(name: string, method: boolean, count: number): CelFunc {
  const own = OWN[name]
  const run: Implementation = own ?? ((...values) => fromLibrary(name, method, values))
  const types = Array.from({ length: count }, () => DYN)
  if (!method) return celFunc(meteredName(name), types, DYN, (...values: CelValue[]) => run(...values))
  return celMethod(meteredName(name), DYN, types, DYN, function (...values: CelValue[]) {
    return run(this, ...values)
  })
}

function fromLibrary(name: string, method: boolean, values: Values): CelInput {
  spend(1)
  for (const value of values) payFor(value)
  const [target, ...rest] = values
  const given = (method ? rest : values).filter((value) => value !== undefined)
  const result = library.find(name)?.call(0, method ? target : undefined, given)
  if (result === undefined) throw noOverload(name, values)
  if (isCelError(result)) throw result
  return result
}

/** Kept in these words: what is wrong with a rule's types is told from what only one call lacks. */
export const NO_OVERLOAD = 'found no matching overload'

function noOverload(name: string, values: Values) {
  const types = values.map((value) => (value === undefined ? 'nothing' : celType(value).name))
  return celError(`${NO_OVERLOAD} for '${name}' applied to (${types.join(', ')})`)
}

/** The whole of a value, since it may be compared as a whole. */
function payFor(value: CelValue | undefined): void {
  if (typeof value === 'string') spendText(value.length)
  else if (isCelList(value)) {
    // Before a look at any of them: numbers pay nothing of their own.
    spend(1 + value.size / 16)
    for (const item of value) payFor(item)
  } else if (isCelMap(value)) {
    spend(1)
    for (const [, item] of value) {
      spend(2)
      payFor(item)
    }
  }
}

type Numeric = number | bigint
const isNumeric = (value: CelValue | undefined): value is Numeric =>
  typeof value === 'number' || typeof value === 'bigint'

/** Where one is whole and the other a fraction; two of a kind are the library's, which guards against overflow. */
const mixed =
  (name: string, compute: (one: number, other: number) => number): Implementation =>
  (one, other) =>
    isNumeric(one) && isNumeric(other) && typeof one !== typeof other
      ? finite(compute(Number(one), Number(other)))
      : fromLibrary(name, false, [one, other])

function finite(value: number): number {
  if (!Number.isFinite(value)) throw celError('this is no number')
  return value
}

const compare =
  (name: string, holds: (one: Numeric | string, other: Numeric | string) => boolean): Implementation =>
  (one, other) => {
    if (isNumeric(one) && isNumeric(other)) return holds(one, other)
    return fromLibrary(name, false, [one, other])
  }

function equal(one: CelValue | undefined, other: CelValue | undefined): boolean {
  // JavaScript orders integers and fractions exactly; the strict equality knows them apart.
  if (isNumeric(one) && isNumeric(other)) return one <= other && one >= other
  if (typeof one === 'string' && typeof other === 'string') return one === other
  return fromLibrary('_==_', false, [one, other]) === true
}

function add(one: CelValue | undefined, other: CelValue | undefined): CelInput {
  // The library chains lists, and each turn of `map` makes the chain longer.
  if (isCelList(one) && isCelList(other)) {
    spend(1 + (one.size + other.size) / 16)
    return celList([...one, ...other])
  }
  return mixed('_+_', (a, b) => a + b)(one, other)
}

/** There is no remainder of fractions in CEL; `args.n % 2 == 0` asks for one. */
function remainder(one: CelValue | undefined, other: CelValue | undefined): CelInput {
  if (!isNumeric(one) || !isNumeric(other) || (typeof one === 'bigint' && typeof other === 'bigint'))
    return fromLibrary('_%_', false, [one, other])
  return finite(Number(one) % Number(other))
}

function isIn(value: CelValue | undefined, among: CelValue | undefined): boolean {
  if (isCelMap(among)) return isMember(among, value)
  if (!isCelList(among)) throw noOverload('@in', [value, among])
  spend(1 + among.size / 16)
  for (const item of among) if (equal(item, value)) return true
  return false
}

function isMember(map: CelValue | undefined, name: CelValue | undefined): boolean {
  if (!isCelMap(map)) throw noOverload('has', [map])
  if (typeof name !== 'string' && !isNumeric(name) && typeof name !== 'boolean') throw noOverload('@in', [name, map])
  return hasMember(map, name)
}

const INTEGER = /^[+-]?\d{1,19}$/
const DECIMAL = /^[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?$/

/** An empty or a hexadecimal text is no number here, though JavaScript reads one. */
const cast =
  (name: string, form: RegExp): Implementation =>
  (value) => {
    if (typeof value === 'string' && !form.test(value)) throw celError(`${name}() of a text that is none`)
    return name === 'double' && typeof value === 'string' ? finite(Number(value)) : fromLibrary(name, false, [value])
  }

const ofShortText =
  (name: string): Implementation =>
  (value) => {
    if (typeof value === 'string' && value.length > 64) throw celError(`${name}() of a text that is too long`)
    // Seconds in CEL, milliseconds in the library: written as text it is the same to everybody.
    if (isNumeric(value)) throw noOverload(name, [value])
    spend(4)
    return fromLibrary(name, false, [value])
  }

/** What makes new text of each letter. */
const dear =
  (name: string): Implementation =>
  (...values) => {
    const [text] = values
    if (typeof text === 'string') spend(text.length / 8)
    return fromLibrary(name, true, values)
  }

/** A search may look at the whole part for every place of the text. */
const searching =
  (name: string, search: Implementation = (...values) => fromLibrary(name, true, values)): Implementation =>
  (...values) => {
    const [text, part] = values
    if (typeof text === 'string' && typeof part === 'string') spend((text.length * part.length) / 4096)
    return search(...values)
  }

function matches(text: CelValue | undefined, pattern: CelValue | undefined): boolean {
  if (typeof text !== 'string' || typeof pattern !== 'string') throw noOverload('matches', [text, pattern])
  return knownPattern(pattern).test(text)
}

const timePart =
  (name: string, read: (wall: Date) => number): Implementation =>
  (...values) => {
    const [time, zone] = values
    if (!isReflectMessage(time) || !isMessage(time.message, TimestampSchema)) return fromLibrary(name, true, values)
    if (zone !== undefined && typeof zone !== 'string') throw noOverload(name, values)
    spend(zone === undefined ? 1 : 10)
    return BigInt(read(wallClock(timestampMs(time.message), zone)))
  }

const OWN: Readonly<Record<string, Implementation>> = {
  '_+_': add,
  '_-_': mixed('_-_', (one, other) => one - other),
  '_*_': mixed('_*_', (one, other) => one * other),
  '_/_': mixed('_/_', (one, other) => one / other),
  '_%_': remainder,
  '_==_': equal,
  '_!=_': (one, other) => !equal(one, other),
  '_<_': compare('_<_', (one, other) => one < other),
  '_<=_': compare('_<=_', (one, other) => one <= other),
  '_>_': compare('_>_', (one, other) => one > other),
  '_>=_': compare('_>=_', (one, other) => one >= other),
  '@in': isIn,
  int: cast('int', INTEGER),
  double: cast('double', DECIMAL),
  timestamp: ofShortText('timestamp'),
  duration: ofShortText('duration'),
  contains: searching('contains'),
  indexOf: searching('indexOf'),
  split: searching('split', dear('split')),
  matches,
  lowerAscii: dear('lowerAscii'),
  upperAscii: dear('upperAscii'),
  ...Object.fromEntries(Object.entries(TIME_PARTS).map(([name, read]) => [name, timePart(name, read)])),
}
