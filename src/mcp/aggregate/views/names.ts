// What things of many servers are called in one place: unlike each other to machines and to people, and fit for a header.
// MCP 2025-11-25 and 2026-07-28, Tools: tool names; Transports: `Mcp-Name`.
import { createHash } from 'node:crypto'
import type { AggregateConfig } from '../../../config/aggregate.ts'

/** A thing as its own server calls it. */
export interface Thing {
  readonly server: string
  readonly name: string
}

/** Why a thing is not shown: its name is taken, or reads like one that is, or is none. */
export interface LeftOut extends Thing {
  readonly reason: 'name_taken' | 'looks_alike' | 'name_illegal'
}

/** The name to try, then those to try where it is taken. */
export type Naming = (thing: Thing) => readonly string[]

/** What hosts take for the name of a tool; longer ones are refused by common model interfaces. */
export const LONGEST_NAME = 64
const DIGEST = 8
const UNSAFE = /[^A-Za-z0-9_.-]/g
/** Control characters and what is not shown at all say one thing to a machine and another to a reader. */
const ILLEGAL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/u
const LONGEST_OWN_NAME = 1024

/** Those of `conflict` that lose their own name keep the prefixed one; what comes first keeps its name in every strategy. */
export function naming(
  { naming: strategy, separator }: Pick<AggregateConfig, 'naming' | 'separator'>,
  prefixes: ReadonlyMap<string, string | undefined>,
): Naming {
  const prefixed = ({ server, name }: Thing) => (prefixes.get(server) ?? server + separator) + name
  if (strategy === 'prefix') return (thing) => [prefixed(thing)]
  return strategy === 'none' ? ({ name }) => [name] : (thing) => [thing.name, prefixed(thing)]
}

/** As it is where it can stand in a header and in a model's list; else with a digest in place of what had to go, always the same. */
export function safeName(wanted: string, { server, name }: Thing): string {
  const safe = wanted.replace(UNSAFE, '_')
  if (safe === wanted && wanted.length <= LONGEST_NAME) return wanted
  const digest = createHash('sha256').update(`${server}\0${name}`).digest('hex').slice(0, DIGEST)
  return `${safe.slice(0, LONGEST_NAME - DIGEST - 1)}_${digest}`
}

const isLegalName = (name: string): boolean => name !== '' && name.length <= LONGEST_OWN_NAME && !ILLEGAL.test(name)

/** Letters of other scripts that read like Latin ones, the common ones; case and digits are folded besides. */
const LOOKS: ReadonlyMap<string, string> = new Map(
  ['аa', 'вb', 'сc', 'ԁd', 'еe', 'һh', 'іi', 'ӏl', 'јj', 'кk', 'мm', 'нh', 'оo', 'рp', 'ѕs', 'тt', 'уy', 'хx']
    .concat(['αa', 'εe', 'ιi', 'κk', 'νv', 'οo', 'ρp', 'τt', 'υu', 'χx', 'ıi', 'ɡg', '0o', '1l', '|l'])
    .map(([strange = '', plain = '']) => [strange, plain]),
)

/** Equal for names that a reader takes for one another: case, composition, full width, letters that look alike. */
function lookOf(name: string): string {
  let look = ''
  for (const letter of name.normalize('NFKC').toLowerCase()) look += LOOKS.get(letter) ?? letter
  return look
}

/** Gives out names, first come, first served. One register serves one kind of thing in one place. */
export interface Register {
  /** The name given, or why there is none. */
  claim(thing: Thing, wanted: readonly string[]): string | LeftOut
}

export function createRegister(): Register {
  const given = new Set<string>()
  const looks = new Set<string>()
  return {
    claim(thing, wanted) {
      if (!isLegalName(thing.name)) return { ...thing, reason: 'name_illegal' }
      let reason: LeftOut['reason'] = 'name_taken'
      for (const each of wanted) {
        const name = safeName(each, thing)
        // By the name as wanted: what had to be replaced in it may be what makes it look alike.
        const look = lookOf(each)
        reason = given.has(name) ? 'name_taken' : 'looks_alike'
        if (given.has(name) || looks.has(look)) continue
        given.add(name)
        looks.add(look)
        return name
      }
      return { ...thing, reason }
    },
  }
}
