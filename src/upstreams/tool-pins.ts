// Tools stay what they were when somebody agreed to them: a definition that changes later is told of, and under quarantine neither
// shown nor called until it is approved (rug pulls and shadowing, OWASP AISVS 10.4).
import type { Clock } from '../protocol/clock.ts'
import type { ToolPin, ToolPins } from '../store/tool-pins.ts'
import { definitionOf, type ToolDefinition } from './tool-definition.ts'

export type PinMode = 'off' | 'warn' | 'quarantine'

/** What happened to a tool; `restored`: it is what was approved again. */
export type ToolEvent = 'first_seen' | 'changed' | 'restored' | 'shadowed'

export interface ToolGuard {
  /** Keeps what a server shows and tells of what is new; answers what of it may be shown on. Rejects when the store cannot keep it. */
  screen<Tool>(server: string, tools: readonly Tool[]): Promise<readonly Tool[]>
  /** May a tool be called? Known in memory; closed under quarantine until the server's tools were seen once. */
  isOpen(server: string, tool: string): boolean
  /** Under quarantine, before the first sight of the server: its list has to be asked for. */
  isUnseen(server: string): boolean
  modeOf(server: string): PinMode
  close(): void
}

interface Needs {
  readonly pins: Pick<ToolPins, 'epoch' | 'list' | 'saw'>
  readonly modes: ReadonlyMap<string, PinMode>
  readonly clock: Clock
  /** Resolves once the event is recorded. */
  tell(event: ToolEvent, tool: { server: string; tool: string; detail: string }): Promise<void>
  onError(error: unknown): void
}

const POLL = 2000
const MOST_TOOLS = 10_000

export async function openToolGuard({ pins, modes, clock, tell, onError }: Needs): Promise<ToolGuard> {
  const held = new Map<string, Map<string, ToolPin>>()
  const modeOf = (server: string): PinMode => modes.get(server) ?? 'warn'
  let epoch = -1

  async function read(): Promise<void> {
    const now = await pins.epoch()
    if (now === epoch) return
    const all = await pins.list()
    held.clear()
    for (const pin of all) keep(pin)
    epoch = now
  }

  function keep(pin: ToolPin): void {
    const known = held.get(pin.server) ?? new Map<string, ToolPin>()
    held.set(pin.server, known)
    known.set(pin.tool, pin)
  }

  async function learn(server: string, shown: readonly ToolDefinition[]): Promise<void> {
    const known = held.get(server)
    const news = shown.filter(({ name, digest }) => known?.get(name)?.seen !== digest)
    if (news.length === 0) return
    const pinNew = modeOf(server) === 'warn'
    const changes = await pins.saw(server, news.slice(0, MOST_TOOLS), { pinNew, at: clock() })
    for (const pin of changes) {
      const before = known?.get(pin.tool)
      keep(pin)
      await tell(kindOf(pin, before), { server, tool: pin.tool, detail: detailOf(pin) })
    }
    for (const { name } of news) {
      const shadowed = findShadowed(held, server, name)
      if (shadowed !== undefined) await tell('shadowed', { server, tool: name, detail: `of ${shadowed}` })
    }
    // Another replica told of them: its rows are read now rather than in a moment.
    if (changes.length < news.length) await read()
  }

  await read()
  const timer = setInterval(() => void read().catch(onError), POLL)
  timer.unref()
  return {
    modeOf,
    async screen(server, tools) {
      const mode = modeOf(server)
      if (mode === 'off') return tools
      const definitions = tools.map(definitionOf)
      await learn(
        server,
        definitions.filter((definition) => definition !== undefined),
      )
      if (mode === 'warn') return tools
      const known = held.get(server)
      // By digest, not by name: what is shown on is what was approved, whatever was seen by others meanwhile.
      return tools.filter((_, at) => {
        const definition = definitions[at]
        return definition !== undefined && known?.get(definition.name)?.pinned === definition.digest
      })
    },
    isOpen(server, tool) {
      if (modeOf(server) !== 'quarantine') return true
      const pin = held.get(server)?.get(tool)
      return pin !== undefined && pin.pinned === pin.seen
    },
    isUnseen: (server) => modeOf(server) === 'quarantine' && !held.has(server),
    close: () => clearInterval(timer),
  }
}

function kindOf({ pinned, seen }: ToolPin, before: ToolPin | undefined): ToolEvent {
  if (before === undefined) return 'first_seen'
  return pinned === seen ? 'restored' : 'changed'
}

const detailOf = ({ pinned, seen }: ToolPin): string =>
  pinned === undefined || pinned === seen ? seen : `${pinned} → ${seen}`

/** Names that people and models take for one another: compatibility forms and case folded away. */
const folded = (name: string): string => name.normalize('NFKC').toLowerCase()

/** Another server's tool of the same name: a model that means the one may call the other. */
function findShadowed(
  held: ReadonlyMap<string, ReadonlyMap<string, ToolPin>>,
  server: string,
  tool: string,
): string | undefined {
  const name = folded(tool)
  for (const [other, tools] of held) {
    if (other === server) continue
    for (const known of tools.keys()) if (folded(known) === name) return `${other}/${known}`
  }
  return undefined
}
