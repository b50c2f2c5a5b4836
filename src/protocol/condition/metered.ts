// An expression made into one that pays for what it does: its functions are the metered ones, and its loops are counted.
import { HAS, LOOP, meteredName } from './functions.ts'
import { type Expr, partsOf } from './syntax.ts'
import { findForm } from './vocabulary.ts'

export function metered(expr: Expr): Expr {
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
