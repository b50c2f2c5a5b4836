// A second, closer look at a message whose arguments rules read: whatever reader the server behind us uses, it must read what the rule
// read. RFC 8259 §4 leaves names that come twice to the reader, §6 the range of numbers; readers in Go fold the case of names.
// The text has been parsed already, so that its grammar, depth and number of keys are in order.
import { RpcError } from '../protocol/errors.ts'
import { RPC } from '../protocol/mcp.ts'

const STRING = /"(?:[^"\\]|\\.)*"/y
const NUMBER = /-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/y
const COLON = /[ \t\r\n]*:/y

/** What is passed as it stands: fifteen digits and no exponent survive every reader of doubles (IEEE 754). */
const SHORT = 15

interface Container {
  /** Names so far; `undefined` in an array. */
  readonly names: Set<string> | undefined
  /** Those of arguments, folded. */
  readonly folded: Set<string> | undefined
}

/** Members of `params` that carry what a tool or prompt is called with. */
const CARRY_ARGUMENTS = new Set(['arguments', 'argument', 'context'])

/** Throws RpcError for a text that two readers could read differently. */
export function checkUnambiguous(body: Buffer): void {
  const text = body.toString('utf8')
  const open: Container[] = []
  /** Depth of the value that carries arguments, while inside. */
  let arguing = 0
  let name = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? ''
    if (character === '{' || character === '[') {
      const params = open.length === 2 && name !== '' && open[0]?.names?.has('params') === true
      if (arguing === 0 && params && CARRY_ARGUMENTS.has(name)) arguing = open.length + 1
      const isObject = character === '{'
      open.push({ names: isObject ? new Set() : undefined, folded: isObject && arguing > 0 ? new Set() : undefined })
    } else if (character === '}' || character === ']') {
      if (open.length === arguing) arguing = 0
      open.pop()
    } else if (character === '"') {
      const spelled = match(STRING, text, at)
      at += spelled.length - 1
      const isName = COLON.test(text.slice(at + 1, at + 1))
      if (isName) name = spelled
    } else if (character === '-' || (character >= '0' && character <= '9')) {
      const spelled = match(NUMBER, text, at)
      checkNumber(spelled)
      at += spelled.length - 1
    }
  }
}
