// `subscriptions/listen` at an aggregate: one stream about all the servers behind it, granted as far as the caller may hear, under the
// id of the client's own request. MCP 2026-07-28, Subscriptions.
import { RpcError } from '../../../protocol/errors.ts'
import { isRecord } from '../../../protocol/json.ts'
import { type RpcId, type RpcRequest, rpcError } from '../../../protocol/jsonrpc.ts'
import { RPC } from '../../../protocol/mcp.ts'
import { helloOfRequest } from '../../bridge/hello.ts'
import { FAULTS } from '../../fault.ts'
import { CHANGED_LISTS, type ChangedList, listFlag } from '../../list-forms.ts'
import { callerOf } from '../../reach.ts'
import type { Ending } from '../../relay.ts'
import type { Place, StreamEnd } from '../../streams.ts'
import type { Subscriptions } from '../../subscriptions.ts'
import { listenedResources } from '../../target.ts'
import type { ChannelSubscriptions } from './channel-subscriptions.ts'
import { openClientStream } from './client-stream.ts'
import { type FanIn, openFanIn } from './fan-in.ts'
import { atMost, type Listener, type ListeningNeeds } from './listen.ts'
import type { Hearer } from './notifications.ts'
import { createJudge } from './server-message.ts'
import { META_SUBSCRIPTION } from './sources.ts'

export interface ListenRequest extends Listener {
  readonly message: RpcRequest
  /** The server that has a resource, as the address shows it; `undefined` for one that is at none of them. */
  locate(uri: string): Promise<string | undefined>
}

interface Needs extends Omit<ListeningNeeds, 'subscriptions'> {
  readonly subscriptions: Subscriptions
  readonly atChannels: ChannelSubscriptions
}

interface Granted {
  readonly lists: ReadonlySet<ChangedList>
  /** By server. */
  readonly resources: ReadonlyMap<string, ReadonlySet<string>>
}

/** So long the word that we listen waits for the servers; who is later is heard from then on. */
const PATIENCE = 500

/** Resolves when the stream has ended, whoever ended it. Throws RpcError -32602 for what is no filter, RequestError 429. */
export function createListenRequest(needs: Needs): (request: ListenRequest) => Promise<Ending> {
  const { subscriptions, atChannels, streams } = needs
  return async function serve(request) {
    const asked = checkFilter(request.message)
    const held = streams.reserve(request.principal, request.exchange.address)
    const holder = `listen ${request.exchange.id}`
    const stop = new AbortController()
    try {
      const granted = await grant(asked, request)
      for (const [server, uris] of granted.resources) for (const uri of uris) subscriptions.add(holder, server, uri)
      await tellGranted(needs, request, { granted, holder, held, signal: stop.signal })
      return { status: 200, outcome: 'answered', fault: undefined }
    } finally {
      stop.abort()
      held.release()
      atChannels.leave(holder, callerOf(request))
    }
  }
}

interface Opening {
  readonly granted: Granted
  /** Under which the subscriptions are kept. */
  readonly holder: string
  readonly held: Place
  readonly signal: AbortSignal
}

/** The stream, from the word of what was granted to the last one. */
async function tellGranted(needs: Needs, request: ListenRequest, opening: Opening): Promise<void> {
  const { granted, holder, held, signal } = opening
  const { id } = request.message
  const caller = callerOf(request)
  const client = openClientStream(request.exchange.res, needs.limits)
  const unwatch = held.watch((reason) => client.end(lastWord(reason, id)))
  const begun = Promise.withResolvers<void>()
  let acknowledged = false
  const send = (said: object) => client.send(withSubscription(said, id))
  const hearer: Hearer = {
    ...request.hearer,
    isSubscribed: (server, uri) => needs.subscriptions.has(holder, server, uri),
  }
  const fanIn = openFanIn({
    sources: [],
    judge: createJudge({
      hearer,
      asking: undefined,
      onListChanged: (server) => needs.onListChanged(server, caller),
    }),
    // The first message is the word of what was granted; what comes before it waits.
    emit: (said) => (acknowledged ? send(said) : begun.promise.then(() => send(said))),
    signal,
    onError: needs.onError,
    lists: granted.lists,
  })
  await atMost(PATIENCE, Promise.all(openSources(needs, request, { fanIn, granted, holder, signal })))
  acknowledged = true
  const params = { notifications: wire(granted) }
  send({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params })
  begun.resolve()
  // Nothing will ever be said: that is told at once.
  if (granted.lists.size === 0 && granted.resources.size === 0) client.end(lastWord('draining', id))
  await client.closed
  unwatch()
}

/** Each resolves when it is listened to, or cannot be. */
function openSources(
  { get, sources, atChannels }: Needs,
  request: ListenRequest,
  opening: Pick<Opening, 'granted' | 'holder' | 'signal'> & { readonly fanIn: FanIn },
): readonly Promise<unknown>[] {
  const { fanIn, granted, holder, signal } = opening
  const { servers, hearer } = request
  const caller = callerOf(request)
  const { capabilities } = helloOfRequest(request.message.params)
  return servers.flatMap((server) => {
    const upstream = get(server)
    if (upstream === undefined || !hearer.sees(server)) return []
    const uris = granted.resources.get(server) ?? NONE
    const ofResources = sources.ofResources(upstream, uris, caller, capabilities)
    // At a channel all is said in one place.
    const isAtChannel = upstream.kind === 'channel' && uris.size > 0
    return [
      ...(granted.lists.size > 0 || isAtChannel ? [fanIn.add(sources.ofLists(upstream, caller, capabilities))] : []),
      ...(ofResources === undefined ? [] : [fanIn.add(ofResources)]),
      ...(isAtChannel ? [atChannels.ask(server, { holder, caller, signal })] : []),
    ]
  })
}

const NONE: ReadonlySet<string> = new Set()

interface Filter {
  readonly lists: readonly ChangedList[]
  readonly uris: readonly string[]
}

function checkFilter({ method, params }: RpcRequest): Filter {
  const filter = params?.['notifications']
  if (!isRecord(filter)) throw new RpcError(RPC.invalidParams, 'bad_params', 'Invalid params: notifications')
  const lists = CHANGED_LISTS.filter((list) => filter[listFlag(list)] === true)
  return { lists, uris: [...new Set(listenedResources(method, params))] }
}

/** What may not be heard is left out like what is not there: the client sees what it got, and nobody why. */
async function grant({ lists, uris }: Filter, { servers, hearer, locate }: ListenRequest): Promise<Granted> {
  const resources = new Map<string, Set<string>>()
  for (const uri of uris.slice(0, MOST_URIS)) {
    const server = await locate(uri)
    if (server === undefined || !hearer.sees(server) || !hearer.mayRead(server, uri)) continue
    resources.set(server, (resources.get(server) ?? new Set<string>()).add(uri))
  }
  return { lists: new Set(servers.some(hearer.sees) ? lists : []), resources }
}

const MOST_URIS = 1000

function wire({ lists, resources }: Granted): Record<string, unknown> {
  const uris = [...resources.values()].flatMap((held) => [...held])
  return {
    ...Object.fromEntries([...lists].map((list) => [listFlag(list), true])),
    ...(uris.length > 0 && { resourceSubscriptions: uris }),
  }
}

/** Every notification says whose request it answers. */
function withSubscription(message: object, id: RpcId): object {
  const { params, ...rest } = message as Record<string, unknown>
  const said = isRecord(params) ? params : {}
  const meta = isRecord(said['_meta']) ? said['_meta'] : {}
  return { ...rest, params: { ...said, _meta: { ...meta, [META_SUBSCRIPTION]: id } } }
}

/** MCP 2026-07-28: the result is the graceful end. A credential that has ended is none. */
function lastWord(reason: StreamEnd, id: RpcId): object {
  if (reason !== 'draining') return rpcError(id, { code: RPC.internalError, message: FAULTS.credential_ended.message })
  return { jsonrpc: '2.0', id, result: { resultType: 'complete', _meta: { [META_SUBSCRIPTION]: id } } }
}
