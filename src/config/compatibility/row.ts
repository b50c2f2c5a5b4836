// A row of the compatibility table beside those of the variables, flags and file keys: what another system documents, what becomes of
// it here, and the test that shows it. For the documentation and its test alone; no start loads this folder.
import type { Owner } from '../seed-rows.ts'

export const KINDS = ['variable', 'flag', 'key', 'endpoint', 'header', 'status'] as const
export type Kind = (typeof KINDS)[number]

export type Here =
  /** `at`: method and path that answer for an endpoint. `write`: our setting for a key that is refused under its own name. */
  | { readonly status: 'works'; readonly how: string; readonly at?: string; readonly write?: string }
  /** `today`: what happens until its owner brings it. */
  | { readonly status: 'later'; readonly owner: Exclude<Owner, 'never'>; readonly today: string }
  | { readonly status: 'never'; readonly because: string }

export interface Row {
  readonly kind: Kind
  readonly name: string
  /** What it does there. */
  readonly there: string
  readonly here: Here
  readonly test: string
  /** Words that stand in the test, where it does not hold the name. */
  readonly says: string | undefined
  /** A field of the body that makes a token, not of a file. */
  readonly ofToken?: true
}

type LaterOwner = Exclude<Owner, 'never'>

const HOUSE = 'test/house/compatibility.test.ts'
const HEADERS = 'test/acceptance/compatibility-headers.test.ts'
const FIELDS = 'test/acceptance/compatibility-fields.test.ts'

const code = (text: string): string => `\`${text}\``

export const endpoint = {
  works: (
    name: string,
    there: string,
    test: string,
    { at = name, says }: { at?: string; says?: string } = {},
  ): Row => ({
    kind: 'endpoint',
    name,
    there,
    here: { status: 'works', how: at === name ? 'the same' : code(at), at },
    test,
    says: says ?? tailOf(at),
  }),
  later: (name: string, there: string, owner: LaterOwner): Row => ({
    kind: 'endpoint',
    name,
    there,
    here: { status: 'later', owner, today: '404' },
    test: HOUSE,
    says: 'answers 404 at',
  }),
  never: (name: string, there: string, because: string): Row => ({
    kind: 'endpoint',
    name,
    there,
    here: { status: 'never', because: `404: ${because}` },
    test: HOUSE,
    says: 'answers 404 at',
  }),
}

/** The path without its method and what stands for a name. */
const tailOf = (at: string): string => at.replace(/^\S+ /, '').replace(/\{.*$/, '')

export const header = {
  works: (name: string, there: string, how: string, test: string, says: string = name): Row => ({
    kind: 'header',
    name,
    there,
    here: { status: 'works', how },
    test,
    says,
  }),
  later: (name: string, there: string, owner: LaterOwner): Row => ({
    kind: 'header',
    name,
    there,
    here: { status: 'later', owner, today: 'neither read nor sent' },
    test: HEADERS,
    says: 'is neither read nor sent',
  }),
  never: (name: string, there: string, because: string): Row => ({
    kind: 'header',
    name,
    there,
    here: { status: 'never', because },
    test: HEADERS,
    says: 'is neither read nor sent',
  }),
}

export const status = {
  works: (name: string, there: string, how: string, test: string, says: string): Row => ({
    kind: 'status',
    name,
    there,
    here: { status: 'works', how },
    test,
    says,
  }),
  later: (name: string, there: string, owner: LaterOwner, today: string, test: string, says: string): Row => ({
    kind: 'status',
    name,
    there,
    here: { status: 'later', owner, today },
    test,
    says,
  }),
  never: (name: string, there: string, because: string, test: string, says: string): Row => ({
    kind: 'status',
    name,
    there,
    here: { status: 'never', because },
    test,
    says,
  }),
}

export const key = {
  /** Read as it is. */
  own: (name: string, there: string, how: string, test: string, says?: string): Row => ({
    kind: 'key',
    name,
    there,
    here: { status: 'works', how },
    test,
    says: says ?? lastOf(name),
  }),
  write: (name: string, there: string, write: string, test: string, says?: string): Row => ({
    kind: 'key',
    name,
    there,
    here: { status: 'works', how: `${code(write)}; refused by name as written there`, write },
    test,
    says: says ?? lastOf(write),
  }),
  later: (name: string, there: string, owner: LaterOwner): Row => ({
    kind: 'key',
    name,
    there,
    here: { status: 'later', owner, today: 'refused by name' },
    test: HOUSE,
    says: 'is refused by name',
  }),
  never: (name: string, there: string, because: string): Row => ({
    kind: 'key',
    name,
    there,
    here: { status: 'never', because: `refused by name: ${because}` },
    test: HOUSE,
    says: 'is refused by name',
  }),
}

const lastOf = (name: string): string => name.split('.').at(-1) ?? name

/** Fields of the body that makes a token or key. */
export const field = {
  works: (name: string, there: string, ours: string, test: string, says: string): Row => ({
    kind: 'key',
    name,
    there,
    here: { status: 'works', how: `${code(ours)} of \`POST /api/v1/tokens\`` },
    test,
    says,
    ofToken: true,
  }),
  later: (name: string, there: string, owner: LaterOwner): Row => ({
    kind: 'key',
    name,
    there,
    here: { status: 'later', owner, today: '400 that names it' },
    test: FIELDS,
    says: 'is 400 that names it',
    ofToken: true,
  }),
  never: (name: string, there: string, because: string): Row => ({
    kind: 'key',
    name,
    there,
    here: { status: 'never', because: `400 that names it: ${because}` },
    test: FIELDS,
    says: 'is 400 that names it',
    ofToken: true,
  }),
}
