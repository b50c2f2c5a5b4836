// Connections to a remote upstream: no redirects, no pipelining; HTTP/2 where it is wanted and offered.
import { Client, type Dispatcher, Pool } from 'undici'
import type { RemoteServerConfig } from '../config/servers.ts'
import { gateOf } from './gate.ts'
import { type Connect, createConnect, type Surroundings } from './network/connect.ts'
import { SharedConnections } from './network/shared-connections.ts'
import type { Gate, RemoteUpstream } from './upstream.ts'

/** Idle connections are closed before a usual server closes them (Node's 5 s), so that a call does not meet the closing. */
const KEEP_ALIVE = 4000
const LARGEST_HEAD = 64 * 1024
/** Of one HTTP/2 connection, where its server allows as many: RFC 9113 §6.5.2 recommends no fewer. */
const MOST_STREAMS = 100

export interface OpenUpstream extends RemoteUpstream {
  /** A connection of one's own, for what is not spoken in requests. */
  open: Connect['open']
  close(): Promise<void>
}

/** Throws OperatorError: a file of its TLS is not there, an address is not among those it may have. */
export function openRemoteUpstream(
  config: RemoteServerConfig,
  around: Surroundings,
  gate: Gate = gateOf(config, around),
): OpenUpstream {
  const url = new URL(config.url)
  const { connect, open, close } = createConnect(config, around)
  const options = { connect, keepAliveTimeout: KEEP_ALIVE, maxHeaderSize: LARGEST_HEAD, pipelining: 1 }
  // For a WebSocket they stay empty: a pool connects when it is used.
  const origin = `${url.protocol.replace(/^ws/, 'http')}//${url.host}`
  const connections = (most: number) =>
    config.http2
      ? multiplexed(origin, { ...options, connections: Number.isFinite(most) ? most : null })
      : new SharedConnections(() => new Client(origin, { ...options, allowH2: false }), most)
  const pool = connections(config.connections)
  // Bounded by the streams of a principal and by our own connections: one waiting stream must not hold back another.
  const streams = connections(Number.POSITIVE_INFINITY)
  return {
    kind: 'remote',
    id: config.id,
    path: url.pathname + url.search,
    pool,
    streams,
    gate,
    open,
    addedHeaders: {},
    requestTimeout: config.requestTimeout,
    idleTimeout: config.idleTimeout,
    maxAnswer: config.maxAnswer,
    async close() {
      close()
      // Whoever asks has drained the callers; what is left waits for nobody.
      await Promise.all([pool.destroy(), streams.destroy()])
    },
  }
}

type PoolOptions = Client.Options & Pick<Pool.Options, 'connections'> & Pick<Connect, 'connect'>

/**
 * undici lets no request that changes something share a connection of HTTP/2 with others, since it might have to be sent again. It never
 * is: when a connection ends, each of its calls fails (pool.test.ts).
 */
const multiplexed = (origin: string, options: PoolOptions): Dispatcher =>
  new Pool(origin, {
    ...options,
    allowH2: true,
    factory: (to, given) => openClient(to, given, options.connect),
  }).compose((dispatch) => (request, handler) => dispatch({ ...request, idempotent: true }, handler))

/** Which of the two protocols a connection speaks is known when it is there: one of HTTP/1.1 must not be given a second request. */
function openClient(origin: string | URL, options: Client.Options, connect: Connect['connect']): Client {
  const client = new Client(origin, {
    ...options,
    connect(to, callback) {
      connect(to, (...[error, socket]) => {
        if (error !== null) return callback(error, null)
        client.pipelining = 'alpnProtocol' in socket && socket.alpnProtocol === 'h2' ? MOST_STREAMS : 1
        return callback(null, socket)
      })
    },
  })
  return client
}
