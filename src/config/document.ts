// A configuration file as values with positions. YAML 1.2, of which JSON is a part: keys once, no tags, few aliases.
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { createInput, type Input, isTree, type Tree } from './input.ts'
import { type Origin, pathText } from './origins.ts'
import type { Problem } from './problems.ts'
import type { Path } from './settings.ts'
import { type Environment, substitute } from './substitute.ts'
import { readTextValue } from './text-value.ts'

/** Aliases followed in one file: enough to share a value, too few to blow one up. */
const MOST_ALIASES = 100

export interface ReadDocument {
  readonly input: Input
  readonly problems: readonly Problem[]
}

/** `name` is the file as messages call it. */
export function readDocument(text: string, name: string, environment: Environment): ReadDocument {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false })
  const syntax = [...document.errors, ...document.warnings].map(({ message, pos }) => {
    const { line, col } = lines.linePos(pos[0])
    return { place: `${name}:${line}:${col}`, message: sentence(message) }
  })
  if (syntax.length > 0) return { input: createInput({}), problems: syntax }
  return readNodes(document, { name, lines, environment })
}

const sentence = (message: string) => (message.endsWith('.') ? message : `${message}.`)

interface Surroundings {
  readonly name: string
  readonly lines: LineCounter
  readonly environment: Environment
}

function readNodes(document: Document, { name, lines, environment }: Surroundings): ReadDocument {
  const problems: Problem[] = []
  const origins = new Map<string, Origin>()
  let aliases = 0

  const originOf = (node: Node): Origin => {
    const { line, col } = lines.linePos(node.range?.[0] ?? 0)
    return { kind: 'file', file: name, line, column: col }
  }
  const report = (node: Node, setting: Path, message: string, remedy?: string): void => {
    const { line, col } = lines.linePos(node.range?.[0] ?? 0)
    const place = `${name}:${line}:${col}`
    problems.push({ place, setting: pathText(setting), message, ...(remedy === undefined ? {} : { remedy }) })
  }

  function readText(node: Node, text: string, path: Path): unknown {
    const { text: result, missing, substituted } = substitute(text, environment)
    for (const variable of missing)
      report(node, path, `The variable ${variable} is not set.`, `Set it, or give a default: \${${variable}:-default}.`)
    if (missing.length > 0) return undefined
    if (!substituted) return result
    const read = readTextValue(path, result)
    if ('value' in read) return read.value
    report(node, path, read.problem)
    return undefined
  }

  function readMap(pairs: readonly { key: unknown; value: unknown }[], path: Path): Tree {
    const entries: [string, unknown][] = []
    for (const { key, value } of pairs) {
      if (!isScalar(key)) {
        // Passed over it would be a setting that silently does not count.
        if (isNode(key)) report(key, path, 'A key is a plain name here.')
        continue
      }
      const below = [...path, String(key.value)]
      // A key called __proto__ would be skipped by a reader further down; here it is refused like any unknown one.
      if (key.value === '__proto__') report(key, below, 'This key is not allowed.')
      origins.set(pathText(below), originOf(key))
      entries.push([String(key.value), readNode(value, below)])
    }
    return Object.fromEntries(entries.filter(([key]) => key !== '__proto__'))
  }

  function readNode(node: unknown, path: Path): unknown {
    if (isAlias(node)) {
      aliases += 1
      if (aliases <= MOST_ALIASES) return readNode(node.resolve(document), path)
      if (aliases === MOST_ALIASES + 1) report(node, path, `More than ${MOST_ALIASES} aliases are followed.`)
      return undefined
    }
    if (isMap(node)) return readMap(node.items, path)
    if (isSeq(node))
      return node.items.map((item, index) => {
        const below = [...path, index]
        if (isScalar(item) || isMap(item) || isSeq(item)) origins.set(pathText(below), originOf(item))
        return readNode(item, below)
      })
    if (!isScalar(node)) return undefined
    return typeof node.value === 'string' ? readText(node, node.value, path) : (node.value ?? undefined)
  }

  const tree = readNode(document.contents, [])
  if (document.contents !== null && !isMap(document.contents))
    problems.push({ place: `${name}:1:1`, message: 'The file must hold settings, such as `server:`.' })
  return { input: createInput(isTree(tree) ? tree : {}, origins), problems }
}
