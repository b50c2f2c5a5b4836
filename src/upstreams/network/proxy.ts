// A proxy on the way to a server: a tunnel through it for each connection. RFC 9110 §9.3.6, CONNECT; §11.7.2, Proxy-Authorization.
import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import type { LookupFunction, Socket } from 'node:net'

/** The proxy is not there, or does not let us through. */
class ProxyFailed extends Error {
  override readonly name = 'ProxyFailed'
  readonly code = 'ERR_PROXY'
}

export type OpenTunnel = (host: string, port: string) => Promise<Socket>

export function createTunnels(
  proxy: URL,
  { lookup, timeout }: { lookup: LookupFunction; timeout: number },
): OpenTunnel {
  const request = proxy.protocol === 'https:' ? tlsRequest : plainRequest
  const at = {
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
  }
  const { username, password } = proxy
  const said = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const authorization =
    username === '' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(said).toString('base64')}` }

  return function openTunnel(host, port) {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>()
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
    const req = request({
      ...at,
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...authorization },
      lookup,
      agent: false,
    })
    const fail = (message: string, cause?: unknown): void => reject(new ProxyFailed(message, { cause }))
    const timer = setTimeout(() => req.destroy(new Error('The proxy did not answer in time.')), timeout)
    req.once('connect', ({ statusCode }, socket: Socket, head: Buffer) => {
      clearTimeout(timer)
      // Nothing of the server's can be here before we have said a word: bytes now are the proxy's.
      if (statusCode === 200 && head.length === 0) return resolve(socket)
      socket.on('error', () => undefined).destroy()
      fail(`The proxy answered ${statusCode}.`)
    })
    req.once('response', ({ statusCode }) => {
      req.destroy()
      fail(`The proxy answered ${statusCode}.`)
    })
    req.on('error', (error) => {
      clearTimeout(timer)
      fail(`The proxy cannot be reached: ${error.message}`, error)
    })
    req.end()
    return promise
  }
}
