// Upstream configurations for tests: the schema's defaults, and what a test says of its own (in milliseconds and bytes).
import { lookup } from 'node:dns/promises'
import { type RemoteServerConfig, type StdioServerConfig, servers } from '../../src/config/servers.ts'
import type { Surroundings } from '../../src/upstreams/network/connect.ts'

export const remoteConfig = (
  own: Partial<RemoteServerConfig> & Pick<RemoteServerConfig, 'id' | 'url'>,
): RemoteServerConfig => ({ ...(servers.parse([{ id: own.id, url: own.url }])[0] as RemoteServerConfig), ...own })

export const stdioConfig = (
  own: Partial<StdioServerConfig> & Pick<StdioServerConfig, 'id' | 'command'>,
): StdioServerConfig => ({
  ...(servers.parse([{ id: own.id, command: own.command }])[0] as StdioServerConfig),
  ...own,
})

/** Of connections to loopback servers without TLS. */
export const AROUND: Surroundings = {
  clock: Date.now,
  log: { info: () => undefined, warn: () => undefined },
  resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  kindOf: () => 'loopback',
  isWithin: () => false,
  readTls: () => ({}),
  watch: () => () => undefined,
}
