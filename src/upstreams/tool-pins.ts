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
  /** Under quarantine: its tools may be closed. */
  isStrict(server: string): boolean
  /** May a tool be called? Known in memory; closed under quarantine until the server's tools were seen once. */
  isOpen(server: string, tool: string): boolean
  /** This very definition was approved, or nothing has to be. */
  isApproved(server: string, definition: Readonly<Record<string, unknown>>): boolean
  /** Nothing of the server was seen yet: its list has to be asked for. */
  isUnseen(server: string): boolean
  /** Called after each change that was made elsewhere: by an approval, or by another replica. */
  onChange(listener: () => void): void
  close(): void
}

interface Needs {
  readonly pins: Pick<ToolPins, 'epoch' | 'list' | 'saw'>
  readonly modes: ReadonlyMap<string, PinMode>
  readonly clock: Clock
  /** Resolves once the event is recorded. */
  tell(event: ToolEvent, tool: { server: string; tool: string; digest: string; detail: string }): Promise<void>
  onError(error: unknown): void
}

const POLL = 2000
/** Names that one server may make us keep. What comes beyond them is not known, and closed under quarantine. */
const MOST_TOOLS = 10_000

export async function openToolGuard({ pins, modes, clock, tell, onError }: Needs): Promise<ToolGuard> {
  const held = new Map<string, Map<string, ToolPin>>()
  /** Folded name to the tools that have it, by server. */
  const alike = new Map<string, Map<string, string>>()
  const modeOf = (server: string): PinMode => modes.get(server) ?? 'warn'
  const listeners: (() => void)[] = []
  let epoch = -1

  async function read(): Promise<void> {
    const now = await pins.epoch()
    if (now === epoch) return
    const all = await pins.list()
    held.clear()
    alike.clear()
    for (const pin of all) keep(pin)
    const first = epoch === -1
    epoch = now
    if (!first) for (const listener of listeners) listener()
  }

  function keep(pin: ToolPin): void {
    const known = held.get(pin.server) ?? new Map<string, ToolPin>()
    held.set(pin.server, known)
    known.set(pin.tool, pin)
    const name = folded(pin.tool)
    const others = alike.get(name) ?? new Map<string, string>()
    alike.set(name, others)
    others.set(pin.server, pin.tool)
  }

  /** Another server's tool of the same name: a model that means the one may call the other. */
  function findShadowed({ server, tool }: ToolPin): string | undefined {
    const [other] = [...(alike.get(folded(tool)) ?? [])].filter(([id]) => id !== server)
    return other?.join('/')
  }

  async function learn(server: string, shown: readonly ToolDefinition[]): Promise<void> {
    const known = held.get(server)
    let room = MOST_TOOLS - (known?.size ?? 0)
    const isKept = (name: string): boolean => known?.has(name) === true || room-- > 0
    const news = shown.filter(({ name, digest }) => known?.get(name)?.seen !== digest && isKept(name))
    if (news.length === 0) return
    const pinNew = modeOf(server) === 'warn'
    const changes = await pins.saw(server, news, { pinNew, at: clock() })
    // Told together: one commit of the record for all of them.
    await Promise.all(
      changes.map((pin) => {
        const before = known?.get(pin.tool)
        keep(pin)
        return tell(kindOf(pin, before), { server, tool: pin.tool, digest: pin.seen, detail: detailOf(pin) })
      }),
    )
    await Promise.all(
      changes.map((pin) => {
        const shadowed = findShadowed(pin)
        return shadowed === undefined
          ? undefined
          : tell('shadowed', { server, tool: pin.tool, digest: pin.seen, detail: `of ${shadowed}` })
      }),
    )
    // Another replica told of them: its rows are read now rather than in a moment.
    if (changes.length < news.length) await read()
  }

  await read()
  const timer = setInterval(() => void read().catch(onError), POLL)
  timer.unref()

  function isApproved(server: string, definition: ToolDefinition | undefined): boolean {
    return definition !== undefined && held.get(server)?.get(definition.name)?.pinned === definition.digest
  }

  return {
    isStrict: (server) => modeOf(server) === 'quarantine',
    async screen(server, tools) {
      const mode = modeOf(server)
      if (mode === 'off') return tools
      const definitions = tools.map(definitionOf)
      await learn(
        server,
        definitions.filter((definition) => definition !== undefined),
      )
      if (mode === 'warn') return tools
      // By digest, not by name: what is shown on is what was approved, whatever was seen by others meanwhile.
      return tools.filter((_, at) => isApproved(server, definitions[at]))
    },
    isOpen(server, tool) {
      if (modeOf(server) !== 'quarantine') return true
      const pin = held.get(server)?.get(tool)
      return pin !== undefined && pin.pinned === pin.seen
    },
    isApproved: (server, definition) => modeOf(server) !== 'quarantine' || isApproved(server, definitionOf(definition)),
    isUnseen: (server) => modeOf(server) !== 'off' && !held.has(server),
    onChange: (listener) => void listeners.push(listener),
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
