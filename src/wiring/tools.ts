// What is known of the tools behind the gate, on the ground of the gateway.
import type { Recorder } from '../audit/event.ts'
import type { Config } from '../config/schema.ts'
import { upstreamsOf } from '../config/servers.ts'
import type { Policy } from '../policy/policy.ts'
import { withQuarantine } from '../policy/quarantine.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Binding } from '../upstreams/binding.ts'
import { openToolGuard, type ToolEvent, type ToolGuard } from '../upstreams/tools/tool-pins.ts'
import type { GatewayNeeds } from './ground.ts'
import { ownActs } from './own-acts.ts'

const EVENTS: Readonly<Record<ToolEvent, { readonly reason: string; readonly words: string }>> = {
  first_seen: { reason: 'tool_first_seen', words: 'a tool was seen for the first time' },
  changed: { reason: 'tool_changed', words: 'a tool has another definition than the approved one' },
  restored: { reason: 'tool_restored', words: 'a tool has its approved definition again' },
  shadowed: { reason: 'tool_shadowed', words: 'a tool has the name of another server’s tool' },
}

const CURE = 'look at it with `portcullis tools show`'

type Look = (server: string, caller: Principal) => Promise<unknown>

export interface Tools {
  readonly guard: ToolGuard
  /** The policy with what is closed for everybody. */
  guarded(policy: Policy): Policy
  /** How a server's tools are asked for where nobody has seen them. */
  lookWith(look: Look): void
  /** Looks at what the server has shown to this caller. */
  screen<Tool>(server: string, tools: readonly Tool[], caller: Principal | undefined): Promise<readonly Tool[]>
}

export async function openTools(
  { servers }: Config,
  { store, clock, log }: GatewayNeeds,
  recorder: Pick<Recorder, 'act'>,
  { contextOf }: Pick<Binding, 'contextOf'>,
): Promise<Tools> {
  const record = ownActs(recorder, clock)
  const modes = new Map(upstreamsOf(servers).map(({ id, pin }) => [id, pin ?? 'warn']))
  const guard = await openToolGuard({
    pins: store.durable.toolPins,
    modes,
    clock,
    async tell(event, { server, tool, digest, detail }) {
      const { reason, words } = EVENTS[event]
      const isClosed = !guard.isOpen(server, tool)
      const decision = isClosed ? 'deny' : 'allow'
      await record({ act: reason, decision, name: `${server}/${tool}`, digest, reason })
      const known = { server, tool, detail }
      if (isClosed) log.warn(known, `${words}, and is closed until it is approved: ${CURE}`)
      else if (event === 'first_seen') log.debug(known, words)
      else log.warn(known, event === 'changed' ? `${words}: ${CURE}` : words)
    },
    onError: (error) => log.error({ error }, 'the definitions of tools could not be read'),
  })
  let look: Look = async () => undefined
  /** Of a server that lists for each person apart, whose list it is. */
  const personAt = (server: string, principal: Principal): string | undefined =>
    contextOf(server, { principal, rawHeaders: [] }) === undefined ? undefined : principal.subject
  return {
    guard,
    lookWith(given) {
      look = given
    },
    screen: (server, tools, caller) => guard.screen(server, tools, caller && personAt(server, caller)),
    guarded: (policy) =>
      withQuarantine(policy, {
        ...guard,
        isOpen: (server, tool, principal) => guard.isOpen(server, tool, personAt(server, principal)),
        look(server, principal) {
          if (!guard.isStrict(server) || !guard.isUnseen(server, personAt(server, principal))) return undefined
          return look(server, principal).then(nothing, (error: unknown) =>
            log.error({ server, error }, 'tools could not be read'),
          )
        },
      }),
  }
}

const nothing = (): void => undefined
