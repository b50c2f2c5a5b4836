// `host:port` to listen on, as people write it: `127.0.0.1:4444`, `[::]:4444`, `:4444` (every interface), `4444` (loopback); or a
// unix socket, `unix:/path`.

export interface Listen {
  readonly host: string
  readonly port: number
}

export function parseListen(text: string): Listen | undefined {
  const match = /^(?:(\[[0-9a-f:.]+\]|[a-z0-9.-]*):)?(\d{1,5})$/i.exec(text.trim())
  if (match === null) return undefined
  const port = Number(match[2])
  const host = match[1] === undefined ? '127.0.0.1' : match[1] === '' ? '::' : match[1].replace(/^\[|\]$/g, '')
  return port > 65_535 ? undefined : { host, port }
}

/** `sun_path` of unix(7), with the NUL at its end. */
const LONGEST_SOCKET_PATH = 107

/** `unix:/run/portcullis.sock`: the path of a socket file in place of a port. */
export function parseSocketPath(text: string): string | undefined {
  const path = /^unix:(\/[^\0]*[^\0/])$/.exec(text.trim())?.[1]
  return path === undefined || Buffer.byteLength(path) > LONGEST_SOCKET_PATH ? undefined : path
}

export const formatListen = ({ host, port }: Listen): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** What a gate there is called on its own machine. */
export function localUrl({ port }: Pick<Listen, 'port'>, secure: boolean): string {
  const scheme = secure ? 'https' : 'http'
  return `${scheme}://localhost${port === (secure ? 443 : 80) ? '' : `:${port}`}`
}

/** RFC 6761 §6.3 and RFC 5735 §3: names and addresses that never leave this machine. */
export function isLoopback(host: string): boolean {
  const name = host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}
