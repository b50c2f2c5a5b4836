// `portcullis tools`: what servers say their tools are, what of it was approved, and the approval itself.
import { escapeUnprintable } from '../audit/event-line.ts'
import { OperatorError } from '../protocol/errors.ts'
import { isRecord } from '../protocol/json.ts'
import type { Store } from '../store/store.ts'
import type { KeptDefinitions, ToolPin } from '../store/tool-pins.ts'
import { differingMembers } from '../upstreams/tools/tool-definition.ts'
import { recordAct } from './act.ts'
import { withStore } from './configuration.ts'
import type { Common } from './options.ts'

export interface ListOptions extends Common {
  readonly server?: string
  readonly changed: boolean
  readonly json: boolean
}

export interface ApproveOptions extends Common {
  readonly digest?: string
  readonly all: boolean
}

export const list = ({ server, changed, json, ...options }: ListOptions): Promise<void> =>
  withStore(options, async ({ durable }) => {
    const pins = await durable.toolPins.list()
    for (const pin of pins) {
      if ((server !== undefined && pin.server !== server) || (changed && stateOf(pin) === 'approved')) continue
      say(json ? JSON.stringify({ ...pin, state: stateOf(pin) }) : pinLine(pin))
    }
  })

export const show = (name: string, options: Common): Promise<void> =>
  withStore(options, async ({ durable }) => {
    const pin = await find(durable.toolPins, name)
    say(pinLine(pin))
    const { pinnedText, seenText } = pin
    if (stateOf(pin) === 'changed') {
      say(`\napproved (${pin.pinned}):\n${readable(pinnedText ?? '')}`)
      say(`\nchanged: ${differingMembers(pinnedText ?? '', seenText).join(', ') || 'parts too long to be kept'}`)
    }
    say(`\nlast seen (${pin.seen}):\n${readable(seenText)}`)
  })

/** `all`: every changed tool of the server that `name` is. */
export const approve = (name: string, { digest, all, ...options }: ApproveOptions): Promise<void> =>
  withStore(options, async ({ durable, records }, { config }) => {
    if (all && digest !== undefined) throw new OperatorError('--digest is of one tool: leave out --all.')
    const pins = all ? await changedTools(durable.toolPins, name) : [await find(durable.toolPins, name)]
    if (pins.length === 0) throw new OperatorError(`${name}: no tool of this server waits for approval.`)
    for (const { server, tool, seen } of pins) {
      if (!(await durable.toolPins.approve(server, tool, digest ?? seen)))
        throw new OperatorError(
          `${server}/${tool} shows another definition than ${digest ?? seen}, and was not approved: look at it again with \`portcullis tools show\`.`,
        )
      const about = { subject: 'operator', by: 'operator', name: `${server}/${tool}` }
      await recordAct(
        { records, sink: config.audit.sink, print: warn },
        { act: 'tool_approved', reason: 'by_operator', digest: digest ?? seen, ...about },
      )
      warn(`Approved ${escapeUnprintable(`${server}/${tool}`)}. Running gates know within seconds.`)
    }
  })

type State = 'approved' | 'changed' | 'new'

const stateOf = ({ pinned, seen }: ToolPin): State =>
  pinned === undefined ? 'new' : pinned === seen ? 'approved' : 'changed'

function pinLine(pin: ToolPin): string {
  const { server, tool, seen, seenAt } = pin
  const since = new Date(seenAt).toISOString().slice(0, 16).replace('T', ' ')
  return escapeUnprintable(`${stateOf(pin).padEnd(8)}  ${server}/${tool}  ${seen}  since ${since}`)
}

/** One member a line, so that two definitions can be laid side by side; nothing in it reaches the terminal as more than text. */
function readable(text: string): string {
  if (text === '') return '  (too long to be kept)'
  const value: unknown = JSON.parse(text)
  const members = isRecord(value) ? Object.entries(value) : []
  return members.map(([key, entry]) => `  ${key}: ${escapeUnprintable(JSON.stringify(entry))}`).join('\n')
}

type Pins = Pick<Store['durable']['toolPins'], 'find' | 'list'>

async function find(pins: Pins, name: string): Promise<KeptDefinitions> {
  const [, server, tool] = /^([^/]+)\/(.+)$/s.exec(name) ?? []
  if (server === undefined || tool === undefined) throw new OperatorError(`${name}: write server/tool.`)
  const pin = await pins.find(server, tool)
  if (pin === undefined)
    throw new OperatorError(`${name}: no such tool was ever seen. \`portcullis tools list\` shows those that were.`)
  return pin
}

async function changedTools(pins: Pins, server: string): Promise<readonly ToolPin[]> {
  return (await pins.list()).filter((pin) => pin.server === server && stateOf(pin) !== 'approved')
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const warn = (line: string): void => void process.stderr.write(`${line}\n`)
