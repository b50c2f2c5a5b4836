// A server as one caller reaches it: with their credential, who they are, what of their own head goes along, and their own process.
import type { Caller } from './caller.ts'
import type { Credential, Refused } from './credential.ts'
import type { ChannelUpstream, Given, RemoteUpstream, Upstream, Upstreams } from './upstream.ts'

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

/** Header fields (lower-case names) that tell a server something of its caller, before the credential. */
export type HeadersFor = (caller: Caller) => Readonly<Record<string, string>> | undefined

export interface Bound {
  readonly credential: Credential
  /** In this order, later ones over earlier ones; the credential over all of them. */
  readonly headers: readonly HeadersFor[]
  /** Of a server that is spoken to over a channel: the instance that serves this caller. */
  readonly instanceFor?: (upstream: ChannelUpstream, caller: Caller | undefined, given: Given) => ChannelUpstream
  /** Its lists are asked for apart for each person (`servers[].lists`), as they always are where the credential is a person's own. */
  readonly personalLists: boolean
}

/** `parts`: of each server that anything is added for. */
export function createBinding(parts: ReadonlyMap<string, Bound>, upstreams: Pick<Upstreams, 'get'>): Binding {
  function reach(part: Bound, upstream: Upstream, caller: Caller | undefined, given: Given): Upstream {
    if (upstream.kind === 'channel') return part.instanceFor?.(upstream, caller, given) ?? upstream
    const addedHeaders: Record<string, string> = {}
    if (caller !== undefined) for (const headersFor of part.headers) Object.assign(addedHeaders, headersFor(caller))
    Object.assign(addedHeaders, given.headers)
    return { ...upstream, addedHeaders, given, path: withQuery(upstream.path, given.query) }
  }

  return {
    bind<U extends Upstream>(upstream: U, caller: Caller | undefined): U | Promise<U> {
      const part = parts.get(upstream.id)
      if (part === undefined) return upstream
      const given = part.credential.given(caller)
      // One kind goes in, and the same kind comes out.
      return given instanceof Promise
        ? given.then((had) => reach(part, upstream, caller, had) as U)
        : (reach(part, upstream, caller, given) as U)
    },
    async renew({ id, given }, caller, refused) {
      const part = parts.get(id)
      const known = upstreams.get(id)
      if (part === undefined || given === undefined || known?.kind !== 'remote') return undefined
      const again = await part.credential.renewed?.(caller, given, refused)
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

const withQuery = (path: string, query: string | undefined): string =>
  query === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`
