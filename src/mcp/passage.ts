// What the relay of one request needs to know of it.
import type { ServerResponse } from 'node:http'
import type { RpcId } from '../protocol/jsonrpc.ts'
import type { RemoteUpstream } from '../upstreams/upstream.ts'
import type { Screen } from './screen.ts'
import type { StreamEnd, StreamLimits } from './streams.ts'

export interface Passage {
  readonly res: ServerResponse
  readonly requestId: string
  /** `answer`: a request waits. `stream`: a GET stream. `nothing`: a notification, a response, a DELETE. */
  readonly expects: 'answer' | 'stream' | 'nothing'
  /** Id of the request that waits. */
  readonly id: RpcId | undefined
  readonly era: 'modern' | 'legacy'
  /** What a refusal that goes on to the client says of the server, by its status. */
  readonly faultOfStatus?: ((status: number) => string | undefined) | undefined
  readonly screen: Screen
  /** The session id that the client is given for the upstream's. */
  sessionFor(upstreamSession: string): string | undefined
  /** Takes a stream's place and watches its credential; answers how to give it back. */
  openStream(onEnd: (reason: StreamEnd) => void): () => void
  readonly upstream: Pick<RemoteUpstream, 'requestTimeout' | 'maxAnswer' | 'pool'>
  /** What was given can be had anew: a refusal of it is handed back, and the caller hears nothing of it. */
  readonly renewable: boolean
  readonly limits: StreamLimits
}
