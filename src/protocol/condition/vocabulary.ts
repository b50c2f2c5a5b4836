// What conditions may speak of: variables with their fields, and functions with the number of their arguments.

/** Fields by variable; `undefined` where callers and servers choose the names. */
export const VARIABLES = {
  principal: [
    'subject',
    'email',
    'name',
    'groups',
    'roles',
    'teams',
    'client',
    'kind',
    'method',
    'issuer',
    'scopes',
    'claims',
  ],
  client: ['id'],
  server: ['id'],
  tool: undefined,
  args: undefined,
  request: ['address', 'time', 'era'],
  resource: ['uri', 'params'],
} as const satisfies Record<string, readonly string[] | undefined>
export type Variable = keyof typeof VARIABLES

export const isVariable = (name: string): name is Variable => Object.hasOwn(VARIABLES, name)

/** As in `type(args.n) == int`. */
export const TYPES: ReadonlySet<string> = new Set(['bool', 'int', 'double', 'string', 'list', 'map', 'null_type'])

interface Form {
  /** Numbers of arguments; of a method beside what stands before the dot. */
  readonly call?: readonly number[]
  readonly method?: readonly number[]
  /** Its answer is true or false. */
  readonly asks?: true
}

const binary: Form = { call: [2] }
const comparison: Form = { call: [2], asks: true }
const ofText = (...method: number[]): Form => ({ method })
const ofTime: Form = { method: [0, 1] }

/** In CEL's own spelling of operators (cel.expr, operators). */
const FORMS: Readonly<Record<string, Form>> = {
  '_+_': binary,
  '_-_': binary,
  '_*_': binary,
  '_/_': binary,
  '_%_': binary,
  '-_': { call: [1] },
  '!_': { call: [1], asks: true },
  '_==_': comparison,
  '_!=_': comparison,
  '_<_': comparison,
  '_<=_': comparison,
  '_>_': comparison,
  '_>=_': comparison,
  '@in': comparison,
  size: { call: [1], method: [0] },
  int: { call: [1] },
  double: { call: [1] },
  string: { call: [1] },
  timestamp: { call: [1] },
  duration: { call: [1] },
  type: { call: [1] },
  contains: { method: [1], asks: true },
  startsWith: { method: [1], asks: true },
  endsWith: { method: [1], asks: true },
  matches: { method: [1], asks: true },
  lowerAscii: ofText(0),
  upperAscii: ofText(0),
  trim: ofText(0),
  split: ofText(1),
  substring: ofText(1, 2),
  indexOf: ofText(1),
  getFullYear: ofTime,
  getMonth: ofTime,
  getDate: ofTime,
  getDayOfMonth: ofTime,
  getDayOfWeek: ofTime,
  getDayOfYear: ofTime,
  getHours: ofTime,
  getMinutes: ofTime,
  getSeconds: ofTime,
  getMilliseconds: ofTime,
}

/** These decide what is evaluated at all, and are no functions. */
export const CONTROL: ReadonlySet<string> = new Set(['_&&_', '_||_', '_?_:_', '_[_]', '@not_strictly_false'])

export const findForm = (name: string): Form | undefined => (Object.hasOwn(FORMS, name) ? FORMS[name] : undefined)

export const functionNames = (): string[] => Object.keys(FORMS).filter((name) => /^[a-z]/i.test(name))
/** Every way to call a function: the name, whether as a method, and how many arguments. */
export const allForms = (): { name: string; method: boolean; count: number }[] =>
  Object.entries(FORMS).flatMap(([name, { call = [], method = [] }]) => [
    ...call.map((count) => ({ name, method: false, count })),
    ...method.map((count) => ({ name, method: true, count })),
  ])
