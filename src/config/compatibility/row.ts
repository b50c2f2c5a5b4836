// A row of the compatibility table beside those of the variables, flags and file keys: what another system documents, what becomes of
// it here, and the test that shows it. For the documentation and its test alone; no start loads this folder.
import { code } from '../markdown.ts'
import type { Owner } from '../seed-rows.ts'

export const KINDS = ['variable', 'flag', 'key', 'endpoint', 'header', 'status'] as const
export type Kind = (typeof KINDS)[number]

type LaterOwner = Exclude<Owner, 'never'>

export type Here =
  /** `at`: method and path that answer for an endpoint. `write`: our setting for a key that is refused under its own name. */
  | { readonly status: 'works'; readonly how: string; readonly at?: string; readonly write?: string }
  /** `today`: what happens until its owner brings it. */
  | { readonly status: 'later'; readonly owner: LaterOwner; readonly today: string }
  | { readonly status: 'never'; readonly because: string }

/** A test, and words that stand in it. */
export interface Proof {
  readonly test: string
  readonly says: string
}

export interface Row extends Proof {
  readonly kind: Kind
  readonly name: string
  /** What it does there. */
  readonly there: string
  readonly here: Here
  /** A field of the body that makes a token, not of a file. */
  readonly ofToken?: true
}

const HOUSE = 'test/house/compatibility.test.ts'
const NOWHERE: Proof = { test: HOUSE, says: 'answers 404 at' }
const REFUSED: Proof = { test: HOUSE, says: 'is refused by name' }
const UNREAD: Proof = { test: 'test/acceptance/compatibility-headers.test.ts', says: 'is neither read nor sent' }
const UNKNOWN_FIELD: Proof = { test: 'test/acceptance/compatibility-fields.test.ts', says: 'is 400 that names it' }
const UNKNOWN_OPTION: Proof = { test: 'test/acceptance/compatibility-start.test.ts', says: 'is an unknown option' }

const works = (how: string): Here => ({ status: 'works', how })
const later = (owner: LaterOwner, today: string): Here => ({ status: 'later', owner, today })
const never = (because: string): Here => ({ status: 'never', because })

const row = (kind: Kind, name: string, there: string, here: Here, { test, says }: Proof): Row => ({
  kind,
  name,
  there,
  here,
  test,
  says,
})

/** Flags of commands; those of a start are in the tables of the configuration. */
export const flag = {
  works: (name: string, there: string, how: string, test: string, says: string): Row =>
    row('flag', name, there, works(how), { test, says }),
  never: (name: string, there: string, because: string): Row =>
    row('flag', name, there, never(`an unknown option: ${because}`), UNKNOWN_OPTION),
}

interface Answers {
  /** Where ours is, if not at the same address. */
  readonly at?: string
  readonly says?: string
}

export const endpoint = {
  works: (name: string, there: string, test: string, { at = name, says = tailOf(at) }: Answers = {}): Row =>
    row('endpoint', name, there, { status: 'works', how: at === name ? 'the same' : code(at), at }, { test, says }),
  later: (name: string, there: string, owner: LaterOwner): Row =>
    row('endpoint', name, there, later(owner, '404'), NOWHERE),
  never: (name: string, there: string, because: string): Row =>
    row('endpoint', name, there, never(`404: ${because}`), NOWHERE),
}

/** The path without its method and what stands for a name. */
const tailOf = (at: string): string => at.replace(/^\S+ /, '').replace(/\{.*$/, '')

export const header = {
  works: (name: string, there: string, how: string, test: string, says: string = name): Row =>
    row('header', name, there, works(how), { test, says }),
  later: (name: string, there: string, owner: LaterOwner): Row =>
    row('header', name, there, later(owner, 'neither read nor sent'), UNREAD),
  never: (name: string, there: string, because: string): Row => row('header', name, there, never(because), UNREAD),
  /** A place where a credential does not count. */
  refused: (name: string, there: string, because: string, test: string, says: string): Row =>
    row('header', name, there, never(because), { test, says }),
}

export const status = {
  works: (name: string, there: string, how: string, test: string, says: string): Row =>
    row('status', name, there, works(how), { test, says }),
  later: (name: string, there: string, owner: LaterOwner, today: string, test: string, says: string): Row =>
    row('status', name, there, later(owner, today), { test, says }),
  never: (name: string, there: string, because: string, test: string, says: string): Row =>
    row('status', name, there, never(because), { test, says }),
}

export const key = {
  /** Read as it is. */
  own: (name: string, there: string, how: string, test: string, says = lastOf(name)): Row =>
    row('key', name, there, works(how), { test, says }),
  write: (name: string, there: string, write: string, test: string, says = lastOf(write)): Row => {
    const how = `${code(write)}; refused by name as written there`
    return row('key', name, there, { status: 'works', how, write }, { test, says })
  },
  later: (name: string, there: string, owner: LaterOwner): Row =>
    row('key', name, there, later(owner, 'refused by name'), REFUSED),
  never: (name: string, there: string, because: string): Row =>
    row('key', name, there, never(`refused by name: ${because}`), REFUSED),
  /** Of no file: in a value that is itself JSON, in a token, in a message. */
  elsewhere: (name: string, there: string, here: Here, test: string, says: string): Row =>
    row('key', name, there, here, { test, says }),
}

const lastOf = (name: string): string => name.split('.').at(-1) ?? name

/** Fields of the body that makes a token or key. */
export const field = {
  works: (name: string, there: string, ours: string, test: string, says: string, of = ''): Row => ({
    ...row('key', name, there, works(`${code(ours)} of ${code(`POST /api/v1/tokens${of}`)}`), { test, says }),
    ofToken: true,
  }),
  later: (name: string, there: string, owner: LaterOwner): Row => ({
    ...row('key', name, there, later(owner, '400 that names it'), UNKNOWN_FIELD),
    ofToken: true,
  }),
  never: (name: string, there: string, because: string): Row => ({
    ...row('key', name, there, never(`400 that names it: ${because}`), UNKNOWN_FIELD),
    ofToken: true,
  }),
}
