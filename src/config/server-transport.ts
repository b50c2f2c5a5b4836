// What the settings of the way to a server ask of each other. Pure.
import { transportOf } from '../protocol/transports.ts'
import type { Config } from './schema.ts'
import type { RemoteServerConfig } from './servers.ts'
import type { Flaw } from './transport.ts'

type Found = Omit<Flaw, 'path'> & { readonly key: readonly (keyof RemoteServerConfig | 'cert' | 'key')[] }

export function checkServerTransport({ servers }: Pick<Config, 'servers'>): Flaw[] {
  return servers.flatMap((server, index) =>
    'url' in server ? flawsOf(server).map(({ key, ...told }) => ({ ...told, path: ['servers', index, ...key] })) : [],
  )
}

function flawsOf(server: RemoteServerConfig): Found[] {
  const { url, transport, tls, http2, proxy, addresses } = server
  const { protocol, username, password } = new URL(url)
  const isPlain = protocol === 'http:' || protocol === 'ws:'
  const isWebSocket = transportOf(server) === 'websocket'
  const flaws: Found[] = []
  const flaw = (key: Found['key'], message: string, remedy: string): void => void flaws.push({ key, message, remedy })
  if (username !== '' || password !== '')
    flaw(['url'], 'A user or password in the address would not be sent.', 'Write them under `credentials`.')
  if (transport !== undefined && isWebSocket !== protocol.startsWith('ws'))
    flaw(
      ['transport'],
      `The address is ${protocol}//.`,
      'Write ws:// or wss:// for websocket, http:// or https:// for the others.',
    )
  if (tls !== undefined && isPlain)
    flaw(['tls'], 'The address is not https (wss), so there is no TLS.', 'Write the https address, or take `tls` away.')
  if (tls?.cert !== undefined && tls.key === undefined)
    flaw(['tls', 'cert'], 'A certificate without its key proves nothing.', 'Name the file of its key in `tls.key`.')
  if (tls?.key !== undefined && tls.cert === undefined)
    flaw(
      ['tls', 'key'],
      'A key without its certificate proves nothing.',
      'Name the file of its certificate in `tls.cert`.',
    )
  if (http2 && isPlain)
    flaw(
      ['http2'],
      'HTTP/2 is offered inside TLS, and the address is not https.',
      'Write the https address, or take `http2` away.',
    )
  if (http2 && isWebSocket) flaw(['http2'], 'A WebSocket is opened over HTTP/1.1.', 'Take `http2` away.')
  if (proxy !== undefined && !isDecodable(new URL(proxy)))
    flaw(
      ['proxy'],
      'Its user or password holds a % that begins no escape.',
      'Write % as %25 there, and other signs of an address likewise.',
    )
  if (proxy !== undefined && addresses !== undefined)
    flaw(
      ['addresses'],
      'The proxy looks the name up, so what it leads to is not known here.',
      'Let the proxy decide where it connects to, and take `addresses` away.',
    )
  return flaws
}

function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}
