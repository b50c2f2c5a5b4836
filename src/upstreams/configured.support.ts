// Upstream configurations for tests: the schema's defaults, and what a test says of its own (in milliseconds and bytes).
import { type RemoteServerConfig, type StdioServerConfig, servers } from '../config/servers.ts'

export const remoteConfig = (
  own: Partial<RemoteServerConfig> & Pick<RemoteServerConfig, 'id' | 'url'>,
): RemoteServerConfig => ({ ...(servers.parse([{ id: own.id, url: own.url }])[0] as RemoteServerConfig), ...own })

export const stdioConfig = (
  own: Partial<StdioServerConfig> & Pick<StdioServerConfig, 'id' | 'command'>,
): StdioServerConfig => ({
  ...(servers.parse([{ id: own.id, command: own.command }])[0] as StdioServerConfig),
  ...own,
})
