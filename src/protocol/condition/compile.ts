// A condition, ready to be evaluated: its functions metered, its loops counted, and what it reads known.
import { celEnv, isCelError, plan } from '@bufbuild/cel'
import { Bindings } from './bindings.ts'
import { checkCondition } from './check.ts'
import { HAS, LOOP, meteredFunctions, meteredName, NO_OVERLOAD } from './functions.ts'
import { type Condition, ConditionFlaw, type Facts, UNKNOWN } from './language.ts'
import { refillMeter } from './meter.ts'
import { type Expr, partsOf, readCondition, type Written } from './syntax.ts'
import { findForm } from './vocabulary.ts'

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

/** By the facts themselves: several conditions are told the same of one call. */
const bound = new WeakMap<Facts, Bindings>()

function bindingsOf(facts: Facts): Bindings {
  const known = bound.get(facts)
  if (known !== undefined) return known
  const made = new Bindings(facts)
  bound.set(facts, made)
  return made
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

/** The same expression with the functions that pay, and with loops that pay for each turn. */
function metered(expr: Expr): Expr {
  const { case: kind, value } = expr.exprKind
  const part = <Given extends Expr | undefined>(of: Given) => (of === undefined ? of : metered(of))
  if (kind === 'selectExpr')
    return value.testOnly
      ? callOf(expr, HAS, [part(value.operand), constant(expr, { case: 'stringValue', value: value.field })])
      : { ...expr, exprKind: { case: kind, value: { ...value, operand: part(value.operand) } } }
  if (kind === 'callExpr') {
    const name = findForm(value.function) === undefined ? value.function : meteredName(value.function)
    const call = { ...value, function: name, target: part(value.target), args: value.args.map(metered) }
    return { ...expr, exprKind: { case: kind, value: call } }
  }
  if (kind === 'listExpr')
    return { ...expr, exprKind: { case: kind, value: { ...value, elements: value.elements.map(metered) } } }
  if (kind === 'structExpr') {
    const entries = value.entries.map((entry) => ({
      ...entry,
      keyKind:
        entry.keyKind.case === 'mapKey'
          ? { case: entry.keyKind.case, value: metered(entry.keyKind.value) }
          : entry.keyKind,
      value: part(entry.value),
    }))
    return { ...expr, exprKind: { case: kind, value: { ...value, entries } } }
  }
  if (kind !== 'comprehensionExpr') return expr
  const weight = constant(expr, { case: 'int64Value', value: BigInt(1 + Math.ceil(sizeOf(value.loopStep) / 4)) })
  const loop = {
    ...value,
    iterRange: part(value.iterRange),
    accuInit: part(value.accuInit),
    loopCondition: callOf(expr, LOOP, [part(value.loopCondition), weight]),
    loopStep: part(value.loopStep),
    result: part(value.result),
  }
  return { ...expr, exprKind: { case: kind, value: loop } }
}

type Call = Extract<Expr['exprKind'], { case: 'callExpr' }>['value']
type Constant = Extract<Expr['exprKind'], { case: 'constExpr' }>['value']

function callOf(at: Expr, name: string, args: readonly (Expr | undefined)[]): Expr {
  const value: Call = {
    $typeName: 'cel.expr.Expr.Call',
    function: name,
    args: args.filter((arg) => arg !== undefined),
  }
  return { ...at, exprKind: { case: 'callExpr', value } }
}

function constant(at: Expr, constantKind: Constant['constantKind']): Expr {
  return { ...at, exprKind: { case: 'constExpr', value: { $typeName: 'cel.expr.Constant', constantKind } } }
}

const sizeOf = (expr: Expr | undefined): number =>
  expr === undefined ? 0 : partsOf(expr).reduce((sum, part) => sum + sizeOf(part), 1)
