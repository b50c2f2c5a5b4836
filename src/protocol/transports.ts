// What a server behind the gate is spoken to over, by its entry in the configuration.

export type ServerTransport = 'stdio' | 'http' | 'sse' | 'websocket'

type Entry =
  | { readonly command: readonly string[] }
  | { readonly url: string; readonly transport?: Exclude<ServerTransport, 'stdio'> | undefined }

export function transportOf(server: Entry): ServerTransport {
  if ('command' in server) return 'stdio'
  return server.transport ?? (/^wss?:/.test(server.url) ? 'websocket' : 'http')
}

/** Over one lasting channel (a child process, one event stream, one WebSocket), and not request by request. */
export const isChannel = (server: Entry): boolean => transportOf(server) !== 'http'
