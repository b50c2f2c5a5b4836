// Whose word about other requests counts (forward-auth, ext_authz), and what is said at the start of hosts that are protected.
import { isLoopback, parseListen } from './listen.ts'
import type { Config } from './schema.ts'

const THIS_MACHINE = ['127.0.0.0/8', '::1', 'unix']

/** None is named: then only what runs on this machine is believed. */
export const ingressesOf = ({ server }: Pick<Config, 'server'>): readonly string[] =>
  server.trustedProxies.length === 0 ? THIS_MACHINE : server.trustedProxies

export function ingressWarnings(config: Config): string[] {
  return config.doors.decision ? [...proxyWarnings(config), ...grpcWarnings(config)] : []
}

function grpcWarnings({ server, forwardAuth: { grpc } }: Config): string[] {
  const { host = 'localhost' } = (grpc !== undefined && parseListen(grpc)) || {}
  if (server.tls !== undefined || isLoopback(host)) return []
  return [
    `forwardAuth.grpc listens on ${grpc} without TLS: whoever hears that network hears the callers' tokens. Keep it private, or set server.tls.`,
  ]
}

function proxyWarnings({ server, servers, forwardAuth }: Config): string[] {
  const hosts = [
    ...forwardAuth.resources.map(({ host }) => host),
    ...servers.flatMap(({ publicUrl }) => (publicUrl === undefined ? [] : [new URL(publicUrl).host])),
  ]
  if (hosts.length === 0 || server.trustedProxies.length > 0) return []
  const named = hosts.length > 3 ? `${hosts.slice(0, 3).join(', ')} and ${hosts.length - 3} more` : hosts.join(', ')
  return [
    `Forward-auth protects ${named}, and server.trustedProxies is empty: only an ingress on this machine is answered. Name yours, such as 10.0.0.0/8.`,
  ]
}
