// Connections to a remote upstream: undici pools, HTTP/1.1, no redirects, no proxies, no pipelining.
import { Pool } from 'undici'
import type { RemoteServerConfig } from '../config/servers.ts'
import type { RemoteUpstream } from './upstream.ts'

/** Idle connections are closed before a usual server closes them (Node's 5 s), so that a call does not meet the closing. */
const KEEP_ALIVE = 4000
const LARGEST_HEAD = 64 * 1024

export interface OpenUpstream extends RemoteUpstream {
  close(): Promise<void>
}

export function openRemoteUpstream(config: RemoteServerConfig): OpenUpstream {
  const url = new URL(config.url)
  const options = {
    connect: { timeout: config.connectTimeout },
    keepAliveTimeout: KEEP_ALIVE,
    maxHeaderSize: LARGEST_HEAD,
    pipelining: 1,
  }
  const pool = new Pool(url.origin, { ...options, connections: config.connections })
  // Bounded by the streams of a principal and by our own connections: one waiting stream must not hold back another.
  const streams = new Pool(url.origin, { ...options, connections: null })
  return {
    kind: 'remote',
    id: config.id,
    path: url.pathname + url.search,
    pool,
    streams,
    addedHeaders: staticHeaders(config.credentials),
    requestTimeout: config.requestTimeout,
    idleTimeout: config.idleTimeout,
    maxAnswer: config.maxAnswer,
    async close() {
      // Whoever asks has drained the callers; what is left waits for nobody.
      await Promise.all([pool.destroy(), streams.destroy()])
    },
  }
}

function staticHeaders(credentials: RemoteServerConfig['credentials']): Readonly<Record<string, string>> {
  if (credentials.type !== 'headers') return {}
  const written = Object.entries(credentials.headers)
  return Object.fromEntries(
    written.flatMap(([name, value]) => (typeof value === 'string' ? [[name.toLowerCase(), value]] : [])),
  )
}
