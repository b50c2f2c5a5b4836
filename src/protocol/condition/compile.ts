// A condition, ready to be evaluated: its functions metered, its loops counted, and what it reads known.
import { celEnv, isCelError, plan } from '@bufbuild/cel'
import { Bindings } from './bindings.ts'
import { checkCondition } from './check.ts'
import { meteredFunctions, NO_OVERLOAD } from './functions.ts'
import { type Condition, ConditionFlaw, type Facts, UNKNOWN } from './language.ts'
import { refillMeter } from './meter.ts'
import { metered } from './metered.ts'
import { readCondition, type Written } from './syntax.ts'

const environment = celEnv({ funcs: meteredFunctions() })

/** By their text: a configuration is judged before it is built, and rules repeat each other. */
const compiled = new Map<string, Condition>()
const MOST_COMPILED = 20_000

/** Throws ConditionFlaw. */
export function compileCondition(text: string): Condition {
  const known = compiled.get(text)
  if (known !== undefined) return known
  if (compiled.size >= MOST_COMPILED) compiled.clear()
  const condition = compileText(text)
  compiled.set(text, condition)
  return condition
}

function compileText(text: string): Condition {
  const written = readCondition(text)
  const reads = checkCondition(written)
  const run = plan(environment, metered(written.expr))
  checkSample(run, written)
  const variables = [...reads.variables]
  return {
    text,
    reads,
    evaluate(facts) {
      const result = withoutStacks(() => run(bindingsOf(facts).record))
      if (typeof result === 'boolean') return result
      return isCelError(result) && variables.some((name) => facts[name] === UNKNOWN) ? 'unknown' : 'error'
    },
  }
}

/**
 * Several conditions in a row are told the same of one call. A map would grow by an entry a call, and V8 promotes what hangs on such
 * maps: a full collection of half a second every hundred thousand calls.
 */
let latest: Bindings | undefined

function bindingsOf(facts: Facts): Bindings {
  if (latest?.tells(facts) !== true) latest = new Bindings(facts)
  return latest
}

/** Errors are values in CEL: most of what one would cost is a stack that nobody reads. */
function withoutStacks<Result>(run: () => Result): Result {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return run()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** What is wrong with a condition, in words for whoever wrote it. */
export function conditionFlaw(text: string): string | undefined {
  try {
    compileCondition(text)
    return undefined
  } catch (error) {
    if (error instanceof ConditionFlaw) return error.message
    throw error
  }
}

/** A caller of whom everything is known; of the call nothing is. */
const SAMPLE: Facts = {
  principal: {
    subject: 'u1',
    email: 'ann@example.com',
    name: 'Ann',
    groups: ['group'],
    roles: ['role'],
    teams: ['team'],
    client: 'client',
    kind: 'person',
    method: 'access_token',
    issuer: 'https://issuer.example',
    scopes: ['scope'],
  },
  client: { id: 'client' },
  server: { id: 'server' },
  tool: UNKNOWN,
  args: UNKNOWN,
  request: { address: '192.0.2.1', time: new Date(0), era: 'modern' },
  resource: UNKNOWN,
}

function checkSample(run: (record: Bindings['record']) => unknown, { expr, flaw }: Written): void {
  refillMeter()
  const result = run(bindingsOf(SAMPLE).record)
  if (isCelError(result) ? result.message.startsWith(NO_OVERLOAD) : typeof result !== 'boolean')
    throw flaw(
      `On a sample this is ${isCelError(result) ? `an error: ${result.message}` : 'neither true nor false'}.`,
      expr,
    )
}
