// Conditions as people write them, in CEL (Common Expression Language, cel.dev): read, and held to a size that can be bounded.
import { parse } from '@bufbuild/cel'
import { ConditionFlaw } from './language.ts'

export type Expr = ReturnType<typeof parse>['expr']

/** More than any rule needs that somebody has to understand. */
const MOST_LETTERS = 2000
const MOST_NODES = 400
const MOST_DEPTH = 40
/** A loop in a loop in a loop costs the cube of what callers send. */
const MOST_LOOPS = 2

export interface Written {
  readonly expr: Expr
  /** The flaw with its place in the condition. */
  flaw(message: string, at: Expr): ConditionFlaw
}

/** Throws ConditionFlaw. */
export function readCondition(text: string): Written {
  if (text.length > MOST_LETTERS) throw new ConditionFlaw(`A condition has at most ${MOST_LETTERS} characters.`)
  const { expr, sourceInfo } = parseText(text)
  const flaw = (message: string, at: Expr) => {
    const offset = sourceInfo?.positions[String(at.id)]
    return new ConditionFlaw(offset === undefined ? message : `${placeAt(text, offset)}: ${message}`)
  }
  checkSize({ expr, flaw })
  return { expr, flaw }
}

function parseText(text: string): ReturnType<typeof parse> {
  try {
    return parse(text)
  } catch (cause) {
    throw new ConditionFlaw(`This is no condition in CEL. ${wordsOf(cause, text)}`, { cause })
  }
}

/** The parser's errors say where it stood, not what was meant; a nesting that its stack cannot hold says nothing. */
function wordsOf(cause: unknown, text: string): string {
  const offset = offsetOf(cause)
  if (offset === undefined) return 'It cannot be read.'
  const rest = text.slice(offset).trimStart()
  const found = rest === '' ? 'the end' : JSON.stringify(/^.{0,20}/.exec(rest)?.[0])
  return `${placeAt(text, offset)}: ${found} is not expected here.`
}

function offsetOf(cause: unknown): number | undefined {
  if (!(cause instanceof Error) || !('location' in cause)) return undefined
  const { location } = cause
  const start = typeof location === 'object' && location !== null && 'start' in location ? location.start : undefined
  const offset = typeof start === 'object' && start !== null && 'offset' in start ? start.offset : undefined
  return typeof offset === 'number' ? offset : undefined
}

function placeAt(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n')
  const column = (before.at(-1) ?? '').length + 1
  return before.length === 1 ? `Column ${column}` : `Line ${before.length}, column ${column}`
}

function checkSize({ expr, flaw }: Written): void {
  let nodes = 0
  const walk = (at: Expr, depth: number, loops: number): void => {
    nodes += 1
    if (nodes > MOST_NODES) throw flaw('The condition has too many parts.', expr)
    if (depth > MOST_DEPTH) throw flaw('The condition is nested too deeply.', at)
    const within = loops + (at.exprKind.case === 'comprehensionExpr' ? 1 : 0)
    if (within > MOST_LOOPS) throw flaw(`At most ${MOST_LOOPS} of all, exists, map and filter inside one another.`, at)
    const range = at.exprKind.case === 'comprehensionExpr' ? at.exprKind.value.iterRange : undefined
    // What a loop goes over is made once, before it.
    for (const part of partsOf(at)) walk(part, depth + 1, part === range ? loops : within)
  }
  walk(expr, 0, 0)
}

/** What an expression is made of, in the order it is written. */
export function partsOf({ exprKind: { case: kind, value } }: Expr): readonly Expr[] {
  if (kind === 'selectExpr') return given([value.operand])
  if (kind === 'callExpr') return given([value.target, ...value.args])
  if (kind === 'listExpr') return value.elements
  if (kind === 'structExpr')
    return given(
      value.entries.flatMap(({ keyKind, value: entry }) => [
        keyKind.case === 'mapKey' ? keyKind.value : undefined,
        entry,
      ]),
    )
  if (kind === 'comprehensionExpr')
    return given([value.iterRange, value.accuInit, value.loopCondition, value.loopStep, value.result])
  return []
}

const given = (parts: readonly (Expr | undefined)[]): readonly Expr[] => parts.filter((part) => part !== undefined)
