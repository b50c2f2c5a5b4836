// The names by which a condition may ask for members of the arguments: in chains, in loops, behind indices, with `in`. A server that
// folds case would find under another spelling what the condition did not (catalogue row E2).
import { type Expr, partsOf } from './syntax.ts'
import { VARIABLES } from './vocabulary.ts'

/** At any depth. What is surely asked of something else is not among them. */
export function argumentNames(expr: Expr): ReadonlySet<string> {
  const names = new Set<string>()
  collect(expr, new Set(Object.keys(VARIABLES).filter((name) => name !== 'args')), names)
  return names
}

/** `others`: the variables, and the loops over them, that are nothing of the arguments. */
function collect(expr: Expr, others: ReadonlySet<string>, names: Set<string>): void {
  const isOther = (of: Expr | undefined): boolean => others.has((of && rootOf(of)) ?? '')
  const { case: kind, value } = expr.exprKind
  if (kind === 'selectExpr' && !isOther(value.operand)) names.add(value.field)
  if (kind === 'callExpr') for (const name of askedBy(value.function, value.args, isOther)) names.add(name)
  if (kind !== 'comprehensionExpr') {
    for (const part of partsOf(expr)) collect(part, others, names)
    return
  }
  const { iterRange, iterVar } = value
  if (iterRange !== undefined) collect(iterRange, others, names)
  const within = new Set(others)
  if (isOther(iterRange)) within.add(iterVar)
  else within.delete(iterVar)
  for (const part of partsOf(expr)) if (part !== iterRange) collect(part, within, names)
}

/** `m["name"]`, `"name" in m`; and of a loop over the names themselves `k == "name"`, `k in ["name"]`. */
function askedBy(name: string, [one, other]: readonly Expr[], isOther: (of: Expr | undefined) => boolean): string[] {
  if (one === undefined || other === undefined) return []
  if (name === '_[_]') return isOther(one) ? [] : textsOf(other)
  if (name === '@in') return isLoop(one) ? (isOther(one) ? [] : textsOf(other)) : isOther(other) ? [] : textsOf(one)
  if (name !== '_==_' && name !== '_!=_') return []
  return [
    ...(isLoop(one) && !isOther(one) ? textsOf(other) : []),
    ...(isLoop(other) && !isOther(other) ? textsOf(one) : []),
  ]
}

const isLoop = ({ exprKind }: Expr): boolean => exprKind.case === 'identExpr'

/** A text that is written out, or each of a list. */
function textsOf({ exprKind: { case: kind, value } }: Expr): string[] {
  if (kind === 'listExpr') return value.elements.flatMap(textsOf)
  if (kind !== 'constExpr' || value.constantKind.case !== 'stringValue') return []
  return [value.constantKind.value]
}

/** The variable that a chain of members, indices and methods begins with. */
function rootOf({ exprKind: { case: kind, value } }: Expr): string | undefined {
  if (kind === 'identExpr') return value.name
  const inner = kind === 'selectExpr' ? value.operand : kind === 'callExpr' ? chained(value) : undefined
  return inner && rootOf(inner)
}

const chained = (call: {
  readonly function: string
  readonly target?: Expr | undefined
  readonly args: readonly Expr[]
}) => (call.function === '_[_]' ? call.args[0] : call.target)
