// Tools stay what they were when somebody agreed to them: a definition that changes later is told of, and under quarantine neither
// shown nor called until it is approved (rug pulls and shadowing, OWASP AISVS 10.4).
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../protocol/clock.ts'
import type { ToolPin, ToolPins } from '../../store/tool-pins.ts'
import { createShownApart } from './shown-apart.ts'
import { definitionOf, type ToolDefinition } from './tool-definition.ts'

export type PinMode = 'off' | 'warn' | 'quarantine'

/** What happened to a tool; `restored`: it is what was approved again. */
export type ToolEvent = 'first_seen' | 'changed' | 'restored' | 'shadowed'

export interface ToolGuard {
  /**
   * Keeps what a server shows and tells of what is new; answers what of it may be shown on. Rejects when the store cannot keep it.
   * `person`: of a server that lists for each person apart, whom it was shown to.
   */
  screen<Tool>(server: string, tools: readonly Tool[], person?: string): Promise<readonly Tool[]>
  /** Under quarantine: its tools may be closed. */
  isStrict(server: string): boolean
  /** May a tool be called? Known in memory; closed under quarantine until the server's tools were seen once, by this person where it lists apart. */
  isOpen(server: string, tool: string, person?: string): boolean
  /** This very definition was approved, or nothing has to be. */
  isApproved(server: string, definition: Readonly<Record<string, unknown>>): boolean
  /** Nothing of the server was seen yet: its list has to be asked for. */
  isUnseen(server: string, person?: string): boolean
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

interface Told {
  readonly event: ToolEvent
  readonly pin: ToolPin
  readonly detail: string
}

const POLL = 2000
/** Of one reading and one kind; how many more there were is told in one event. */
const MOST_NAMED = 20
const SLICE = 250
/** Names that one server may make us keep. What comes beyond them is not known, and closed under quarantine. */
const MOST_TOOLS = 10_000

export async function openToolGuard({ pins, modes, clock, tell, onError }: Needs): Promise<ToolGuard> {
  const held = new Map<string, Map<string, ToolPin>>()
  /** Folded name to the tools that have it, by server. */
  const alike = new Map<string, Map<string, string>>()
  const modeOf = (server: string): PinMode => modes.get(server) ?? 'warn'
  const apart = createShownApart()
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

  async function learn(server: string, shown: readonly ToolDefinition[], person: string | undefined): Promise<void> {
    const known = held.get(server)
    let room = MOST_TOOLS - (known?.size ?? 0)
    const isKept = (name: string): boolean => known?.has(name) === true || room-- > 0
    const isNew = ({ name, digest }: ToolDefinition): boolean => {
      const pin = known?.get(name)
      if (pin?.seen === digest) return false
      // What another person is shown is no change of what this one is.
      return person === undefined || pin === undefined || (pin.pinned !== digest && apart.isFirst(server, name, digest))
    }
    const news = shown.filter((tool) => isNew(tool) && isKept(tool.name))
    if (news.length === 0) return
    const changes = await keepSeen(server, news)
    const events = changes.map((pin): Told => {
      const before = known?.get(pin.tool)
      keep(pin)
      return { event: kindOf(pin, before), pin, detail: detailOf(pin) }
    })
    const shadows = changes.flatMap((pin): Told[] => {
      const shadowed = findShadowed(pin)
      return shadowed === undefined ? [] : [{ event: 'shadowed', pin, detail: `of ${shadowed}` }]
    })
    await tellAll(server, [...events, ...shadows])
    // Another replica told of them: its rows are read now rather than in a moment.
    if (changes.length < news.length) await read()
  }

  /** In slices: the store writes on this thread, and others are waiting. */
  async function keepSeen(server: string, news: readonly ToolDefinition[]): Promise<readonly ToolPin[]> {
    const changes: ToolPin[] = []
    let pinNew = modeOf(server) === 'warn'
    for (let at = 0; at < news.length; at += SLICE) {
      changes.push(...(await pins.saw(server, news.slice(at, at + SLICE), { pinNew, at: clock() })))
      // What the first slice found unseen is unseen for all of them.
      if (at === 0 && !held.has(server)) pinNew ||= changes.every(({ pinned, seen }) => pinned === seen)
      if (at + SLICE < news.length) await setImmediate()
    }
    return changes
  }

  /** Together, which is one commit of the record. A server that changes thousands fills nobody's log. */
  async function tellAll(server: string, told: readonly Told[]): Promise<void> {
    const kinds = Object.entries(Object.groupBy(told, ({ event }) => event))
    await Promise.all(
      kinds.flatMap(([, all = []]) => [
        ...all
          .slice(0, MOST_NAMED)
          .map(({ event, pin: { tool, seen }, detail }) => tell(event, { server, tool, digest: seen, detail })),
        ...all
          .slice(MOST_NAMED, MOST_NAMED + 1)
          .map(({ event }) =>
            tell(event, { server, tool: '*', digest: '', detail: `${all.length - MOST_NAMED} more` }),
          ),
      ]),
    )
  }

  await read()
  const timer = setInterval(() => void read().catch(onError), POLL)
  timer.unref()

  function isApproved(server: string, definition: ToolDefinition | undefined): boolean {
    return definition !== undefined && held.get(server)?.get(definition.name)?.pinned === definition.digest
  }

  return {
    isStrict: (server) => modeOf(server) === 'quarantine',
    async screen(server, tools, person) {
      const mode = modeOf(server)
      if (mode === 'off') return tools
      const definitions = tools.map(definitionOf)
      const shown = definitions.filter((definition) => definition !== undefined)
      await learn(server, shown, person)
      if (person !== undefined) apart.keep(server, person, shown)
      if (mode === 'warn') return tools
      // By digest, not by name: what is shown on is what was approved, whatever was seen by others meanwhile.
      return tools.filter((_, at) => isApproved(server, definitions[at]))
    },
    isOpen(server, tool, person) {
      if (modeOf(server) !== 'quarantine') return true
      const pin = held.get(server)?.get(tool)
      if (pin?.pinned === undefined) return false
      return pin.pinned === (person === undefined ? pin.seen : apart.shown(server, person)?.get(tool))
    },
    isApproved: (server, definition) => modeOf(server) !== 'quarantine' || isApproved(server, definitionOf(definition)),
    isUnseen: (server, person) =>
      modeOf(server) !== 'off' &&
      (!held.has(server) || (person !== undefined && apart.shown(server, person) === undefined)),
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
