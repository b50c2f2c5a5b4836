// A server as one caller reaches it: with their credential, who they are, what of their own head goes along, their own process, and their
// share of its places.
import { countedAs, type Principal } from '../protocol/principal.ts'
import type { Caller } from './caller.ts'
import { ConnectionNeeded, type Credential, CredentialFailed } from './credential.ts'
import { type ToldMeta, toldMessage, UNTOLD } from './identity/meta.ts'
import type { TellIdentity, Told } from './identity/tell.ts'
import { withCredential } from './path.ts'
import type { ChannelUpstream, Given, Grant, Refused, RemoteUpstream, Upstream, Upstreams } from './upstream.ts'

export interface Binding {
  /** Throws, or rejects with, ConnectionNeeded or CredentialFailed. Without a caller the gate asks for itself. */
  bind<U extends Upstream>(upstream: U, caller: Caller | undefined): U | Promise<U>
  /** The server refused it: bound anew, to be tried once; `undefined` where there is nothing else to try. Throws as `bind` does. */
  renew(bound: RemoteUpstream, caller: Caller | undefined, refused: Refused): Promise<RemoteUpstream | undefined>
  /**
   * What the server lists for this caller may be shown to every caller of the same context, and to no other. `undefined`: to everybody,
   * since it is asked for without saying for whom.
   */
  contextOf(serverId: string, caller: Caller): string | undefined
}

/** Header fields (lower-case names) that go along for this caller. */
export type HeadersFor = (caller: Caller) => Readonly<Record<string, string>> | undefined

export interface Bound {
  readonly credential: Credential
  /** What of the caller's own head goes along, under everything else. */
  readonly passthrough?: HeadersFor | undefined
  /** Who calls, under the credential. */
  readonly identity?: TellIdentity | undefined
  /** Its lists are asked for apart for each person (`servers[].lists`), as they always are where the credential is a person's own. */
  readonly personalLists: boolean
}

/** All that depends on the caller, and what came of it: a copy is made where one of these is another than the last time. */
interface Reached {
  readonly upstream: Upstream
  readonly given: Given
  readonly told: Told | undefined
  readonly whose: string
  readonly bound: Upstream
}

/** `parts`: of each server that anything is added for. */
export function createBinding(
  parts: ReadonlyMap<string, Bound>,
  upstreams: Pick<Upstreams, 'get'>,
  onFailure: (server: string, error: CredentialFailed) => void,
): Binding {
  /** Told where it is known for which server, and thrown on to whoever asked. */
  function failed(server: string, error: unknown, caller?: Caller): never {
    if (error instanceof CredentialFailed) onFailure(server, error)
    // What was had with a connection that is no more ends with it.
    if (error instanceof ConnectionNeeded && caller !== undefined) endInstance(server, caller)
    throw error
  }

  function endInstance(server: string, { principal: { subject } }: Caller): void {
    const known = upstreams.get(server)
    if (known?.kind === 'channel') known.endInstance?.(subject)
  }

  /** At once where it is at hand. */
  function givenBy({ credential }: Bound, id: string, caller: Caller | undefined): Given | Promise<Given> {
    try {
      return credential.given(caller)
    } catch (error) {
      return failed(id, error, caller)
    }
  }

  /** Of the last call of each principal: most come again with nothing changed. */
  const last = new Map<string, WeakMap<Principal, Reached>>()

  function remembered(
    upstream: Upstream,
    caller: Caller,
    of: Omit<Reached, 'bound' | 'whose'>,
    make: () => Upstream,
  ): Upstream {
    const known = last.get(upstream.id) ?? new WeakMap<Principal, Reached>()
    last.set(upstream.id, known)
    const before = known.get(caller.principal)
    const whose = countedAs(caller.principal, caller.address)
    if (
      before?.upstream === of.upstream &&
      before.given === of.given &&
      before.told === of.told &&
      before.whose === whose
    )
      return before.bound
    const bound = counted(make(), whose)
    known.set(caller.principal, { ...of, whose, bound })
    return bound
  }

  function reach(part: Bound, upstream: Upstream, caller: Caller | undefined, given: Given): Upstream {
    const told = caller && part.identity?.(caller)
    const passed = caller && part.passthrough?.(caller)
    const serving = upstream.kind === 'channel' ? instanceFor(part, upstream, caller, { given, told }) : upstream
    const { personal } = part.credential
    const owner = caller && part.credential.ownerOf?.(caller)
    const make = () => boundTo(serving, { given, told, passed, personal, owner })
    if (caller === undefined) return make()
    // What passes through may be another with each request.
    if (passed !== undefined) return counted(make(), countedAs(caller.principal, caller.address))
    return remembered(upstream, caller, { upstream: serving, given, told }, make)
  }

  /** Nothing is added for anybody: their own process, and their share. */
  function reachPlain(upstream: Upstream, caller: Caller | undefined): Upstream {
    const serving = upstream.kind === 'channel' ? instanceOf(upstream, caller, NOTHING) : upstream
    if (caller === undefined) return serving
    return remembered(upstream, caller, { upstream: serving, given: NOTHING.given, told: undefined }, () => serving)
  }

  return {
    bind<U extends Upstream>(upstream: U, caller: Caller | undefined): U | Promise<U> {
      const part = parts.get(upstream.id)
      // One kind goes in, and the same kind comes out.
      if (part === undefined) return reachPlain(upstream, caller) as U
      const given = givenBy(part, upstream.id, caller)
      return given instanceof Promise
        ? given.then(
            (had) => reach(part, upstream, caller, had) as U,
            (error: unknown) => failed(upstream.id, error, caller),
          )
        : (reach(part, upstream, caller, given) as U)
    },
    async renew({ id, given }, caller, refused) {
      const part = parts.get(id)
      const known = upstreams.get(id)
      if (part === undefined || given === undefined || known?.kind !== 'remote') return undefined
      const again = await part.credential.renewed?.(caller, given, refused).catch((error: unknown) => failed(id, error))
      return again && (reach(part, known, caller, again) as RemoteUpstream)
    },
    contextOf(serverId, caller) {
      const part = parts.get(serverId)
      if (part === undefined || !(part.credential.personal || part.personalLists)) return undefined
      const { subject } = caller.principal
      const owner = part.credential.ownerOf?.(caller)
      return owner === undefined ? subject : `${subject}\0${owner}`
    },
  }
}

const NOTHING: Grant = { given: { headers: {} }, told: {} }

const instanceOf = (upstream: ChannelUpstream, caller: Caller | undefined, grant: Grant): ChannelUpstream =>
  upstream.instanceFor?.(caller, grant) ?? upstream

/** Whom its connection is for, and with what; what else a request brings along is that request's alone. */
function instanceFor(
  { credential }: Bound,
  upstream: ChannelUpstream,
  caller: Caller | undefined,
  { given, told }: { readonly given: Given; readonly told: Told | undefined },
): ChannelUpstream {
  const renewed = (refused: Refused) => credential.renewed?.(caller, given, refused) ?? Promise.resolve(undefined)
  const owner = caller && credential.ownerOf?.(caller)
  return instanceOf(upstream, caller, { given, owner, told: told?.headers ?? {}, renewed })
}

interface With {
  readonly given: Given
  readonly told: Told | undefined
  readonly passed?: Readonly<Record<string, string>> | undefined
  readonly personal: boolean
  readonly owner: string | undefined
}

function boundTo(upstream: Upstream, { given, told, passed, personal, owner }: With): Upstream {
  const headers = { ...passed, ...told?.headers }
  if (upstream.kind === 'channel')
    return told === undefined && passed === undefined ? upstream : spokenFor(upstream, told?.meta ?? UNTOLD, headers)
  const addedHeaders = Object.assign(headers, given.headers)
  const path = withCredential(upstream.path, given)
  const bound = { ...upstream, addedHeaders, given, personal, owner, path }
  return told === undefined ? bound : { ...bound, meta: told.meta }
}

/** Its places are counted for this caller, and its connections are theirs as far as they go round. */
const counted = (upstream: Upstream, whose: string): Upstream =>
  upstream.kind === 'remote'
    ? { ...upstream, gate: upstream.gate.of(whose), whose }
    : { ...upstream, request: (message, options) => upstream.request(message, { ...options, whose }) }

/** Each message says whose it is: callers may share the channel. */
const spokenFor = (
  channel: ChannelUpstream,
  meta: ToldMeta,
  headers: Readonly<Record<string, string>>,
): ChannelUpstream => ({
  ...channel,
  request: (message, options) =>
    channel.request(toldMessage(message, meta), { ...options, headers: { ...options.headers, ...headers } }),
  notify: (message) => channel.notify(toldMessage(message, meta)),
})
