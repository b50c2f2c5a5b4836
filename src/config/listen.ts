// `host:port` to listen on, as people write it: `127.0.0.1:4444`, `[::]:4444`, `:4444` (every interface), `4444` (loopback).

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

export const formatListen = ({ host, port }: Listen): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** RFC 6761 §6.3 and RFC 5735 §3: names and addresses that never leave this machine. */
export function isLoopback(host: string): boolean {
  const name = host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}
