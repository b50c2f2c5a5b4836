// What a condition speaks of, judged where it is written: variables, functions and patterns that there are, and an answer of yes or no.
import { findNearest } from '../../config/suggest.ts'
import { argumentNames } from './argument-names.ts'
import type { Reads } from './language.ts'
import { patternFlaw } from './pattern.ts'
import { type Expr, partsOf, type Written } from './syntax.ts'
import { wallClock } from './time.ts'
import { CONTROL, findForm, functionNames, isVariable, TYPES, VARIABLES, type Variable } from './vocabulary.ts'

/** Throws ConditionFlaw. */
export function checkCondition(written: Written): Reads {
  const paths: (readonly [Variable, ...string[]])[] = []
  walk(written.expr, new Set(), { ...written, paths })
  if (!mayAnswer(written.expr))
    throw written.flaw('A condition must be true or false; this is something else.', written.expr)
  const fieldsOf = (variable: Variable) => paths.flatMap(([name, ...fields]) => (name === variable ? [fields] : []))
  const claims = fieldsOf('principal').flatMap(([field, claim]) =>
    field === undefined || field === 'claims' ? [claim] : [],
  )
  const variables = new Set(paths.map(([name]) => name))
  return {
    variables,
    args: fieldsOf('args'),
    names: variables.has('args') ? argumentNames(written.expr) : new Set(),
    claims: claims.includes(undefined) ? undefined : claims.filter((claim) => claim !== undefined),
  }
}

interface Walking extends Written {
  readonly paths: (readonly [Variable, ...string[]])[]
}

/** `local`: the names of the loops around. */
function walk(expr: Expr, local: ReadonlySet<string>, walking: Walking): void {
  const chain = chainOf(expr) ?? memberAsked(expr)
  if (chain !== undefined) {
    checkName(chain, expr, { local, walking })
    return
  }
  const { case: kind, value } = expr.exprKind
  if (kind === 'callExpr') checkCall(expr, value.function, value.target !== undefined, walking)
  if (kind === 'structExpr' && value.messageName !== '')
    throw walking.flaw(`There are no messages here, such as ${value.messageName}.`, expr)
  if (kind !== 'comprehensionExpr') {
    for (const part of partsOf(expr)) walk(part, local, walking)
    return
  }
  if (isVariable(value.iterVar) || TYPES.has(value.iterVar))
    throw walking.flaw(`${value.iterVar} has a meaning already: call what the loop goes over something else.`, expr)
  if (value.iterRange !== undefined) walk(value.iterRange, local, walking)
  const within = new Set([...local, value.iterVar, value.accuVar])
  for (const part of partsOf(expr)) if (part !== value.iterRange) walk(part, within, walking)
}

/** A name and the members after it: `args.a['b'].c`. */
function chainOf(expr: Expr): readonly [string, ...string[]] | undefined {
  const { case: kind, value } = expr.exprKind
  if (kind === 'identExpr') return [value.name]
  if (kind === 'selectExpr' && value.operand !== undefined) return longer(value.operand, value.field)
  if (kind !== 'callExpr' || value.function !== '_[_]') return undefined
  const [of, index] = value.args
  const name = index === undefined ? undefined : textOf(index)
  return of === undefined || name === undefined ? undefined : longer(of, name)
}

/** `"a" in args` reads one member, as `has(args.a)` does. Of anything else nobody knows whether it is a list. */
function memberAsked({ exprKind: { case: kind, value } }: Expr): readonly [string, ...string[]] | undefined {
  if (kind !== 'callExpr' || value.function !== '@in') return undefined
  const [member, of] = value.args
  const name = member === undefined ? undefined : textOf(member)
  const isArguments = of?.exprKind.case === 'identExpr' && of.exprKind.value.name === 'args'
  return isArguments && name !== undefined ? ['args', name] : undefined
}

function longer(of: Expr, name: string): readonly [string, ...string[]] | undefined {
  const chain = chainOf(of)
  return chain && [...chain, name]
}

function textOf({ exprKind }: Expr): string | undefined {
  if (exprKind.case !== 'constExpr') return undefined
  const { constantKind } = exprKind.value
  return constantKind.case === 'stringValue' ? constantKind.value : undefined
}

function checkName(
  [name, ...fields]: readonly [string, ...string[]],
  expr: Expr,
  { local, walking }: { local: ReadonlySet<string>; walking: Walking },
): void {
  if (local.has(name)) return
  if (TYPES.has(name) && fields.length === 0) return
  if (!isVariable(name)) throw walking.flaw(unknown(name, Object.keys(VARIABLES)), expr)
  const known: readonly string[] | undefined = VARIABLES[name]
  const [field] = fields
  if (known !== undefined && field !== undefined && !known.includes(field))
    throw walking.flaw(
      unknown(
        `${name}.${field}`,
        known.map((each) => `${name}.${each}`),
      ),
      expr,
    )
  walking.paths.push([name, ...fields])
}

function unknown(name: string, known: readonly string[]): string {
  const nearest = findNearest(name, known)
  return `There is no ${name}. ${nearest === undefined ? `Known are ${known.join(', ')}.` : `Did you mean ${nearest}?`}`
}

function checkCall(expr: Expr, name: string, method: boolean, { flaw }: Walking): void {
  if (CONTROL.has(name)) return
  const form = findForm(name)
  if (form === undefined)
    throw flaw(
      unknown(
        `function ${name}()`,
        functionNames().map((each) => `function ${each}()`),
      ),
      expr,
    )
  const counts = (method ? form.method : form.call) ?? []
  const { case: kind, value } = expr.exprKind
  if (kind !== 'callExpr') return
  if (!counts.includes(value.args.length))
    throw flaw(`${name}() is not called in this way. ${usageOf(name, form)}`, expr)
  const [first] = value.args
  if (name === 'matches') checkPattern(first, flaw)
  if (/^get[A-Z]/.test(name) && first !== undefined) checkZone(first, flaw)
}

function usageOf(name: string, { call = [], method = [] }: NonNullable<ReturnType<typeof findForm>>): string {
  const list = (count: number) => Array.from({ length: count }, (_, at) => 'xyz'.charAt(at)).join(', ')
  return `Write ${[...call.map((count) => `${name}(${list(count)})`), ...method.map((count) => `value.${name}(${list(count)})`)].join(' or ')}.`
}

/** What callers could write, they could make dear. */
function checkPattern(pattern: Expr | undefined, flaw: Written['flaw']): void {
  if (pattern === undefined) return
  const text = textOf(pattern)
  const message = text === undefined ? 'The pattern of matches() must be written out here.' : patternFlaw(text)
  if (message !== undefined) throw flaw(message, pattern)
}

function checkZone(zone: Expr, flaw: Written['flaw']): void {
  const text = textOf(zone)
  if (text === undefined || !isZone(text))
    throw flaw('Write the time zone out here, such as "Europe/Berlin" or "+02:00".', zone)
}

function isZone(text: string): boolean {
  try {
    wallClock(0, text)
    return true
  } catch {
    return false
  }
}

/** False for what can never be a yes or a no: sums, texts, lists. Of members only the call knows. */
function mayAnswer({ exprKind: { case: kind, value } }: Expr): boolean {
  if (kind === 'constExpr') return value.constantKind.case === 'boolValue'
  if (kind === 'selectExpr') return true
  if (kind === 'identExpr') return !TYPES.has(value.name) && (!isVariable(value.name) || value.name === 'args')
  if (kind === 'comprehensionExpr') {
    const made = value.result?.exprKind.case === 'identExpr' ? value.accuInit : value.result
    return made !== undefined && mayAnswer(made)
  }
  if (kind !== 'callExpr') return false
  const [first, then, otherwise] = value.args
  if (value.function === '_?_:_')
    return first !== undefined && [then, otherwise].every((each) => each && mayAnswer(each))
  return CONTROL.has(value.function) || findForm(value.function)?.asks === true
}
