// The text of a start: where the gate listens, what stands behind it, and what to paste into a client. Pure.

import { aggregateAddress } from '../config/authorization-servers.ts'
import { identityToldTo, toldText } from '../config/identity-told.ts'
import { maskUrl } from '../config/mask.ts'
import type { Config } from '../config/schema.ts'
import { upstreamsOf } from '../config/servers.ts'
import { MCP_PATH, serverPath } from '../protocol/resource.ts'

export interface Started {
  readonly config: Config
  /** Address that clients are given. */
  readonly url: string
  /** File, `quickstart` or `environment`, as people read it. */
  readonly source: string
  readonly warnings: readonly string[]
  /** Where the first administrator is made, while there is none. */
  readonly setupLink: string | undefined
  /** Random, for the web Inspector's own check of links. */
  readonly inspectorToken: string
}

type Server = Config['servers'][number]

export function startText(started: Started): string {
  const { config, url, warnings, setupLink } = started
  const [first] = config.servers
  const sections = [
    [`Portcullis is ready: ${url}`, ...overview(started)],
    config.servers.length === 0
      ? ['No MCP server stands behind it. Add one under `servers` in portcullis.yaml.']
      : [
          'Servers',
          ...config.servers.map((server) => `  ${serverLine(server, url)}`),
          ...aggregateLine(config, url),
          ...toldLines(config),
        ],
    ...(warnings.length === 0 ? [] : [warnings.map((warning) => `Warning: ${warning}`)]),
    ...(setupLink === undefined
      ? []
      : [['Create the first administrator (this link works once, for a day)', `  ${setupLink}`]]),
    ...(first === undefined ? [] : [clientLines(first.id, `${url}${serverPath(first.id)}`, started.inspectorToken)]),
  ]
  return `\n${sections.map((lines) => lines.join('\n')).join('\n\n')}\n\n`
}

function overview({ config, source }: Started): string[] {
  const providers = config.identity.providers.map(providerText)
  return [
    `  listening on  ${config.server.listen}`,
    `  configuration ${source}`,
    `  store         ${maskUrl(config.store.url)}`,
    `  sign-in       ${config.doors.oauth ? providers.join(', ') || 'none: nobody can sign in' : 'closed (doors.oauth)'}`,
  ]
}

function providerText(provider: Config['identity']['providers'][number]): string {
  if (provider.title !== undefined || provider.type === 'local') return provider.title ?? provider.type
  return provider.id === provider.type ? provider.id : `${provider.id} (${provider.type})`
}

function serverLine(server: Server, url: string): string {
  // Arguments may hold what is nobody's business; the program's name says enough.
  const behind =
    'command' in server
      ? `runs ${server.command[0]}`
      : 'url' in server
        ? withoutSecrets(server.url)
        : 'a view over others'
  return `${server.id.padEnd(12)} ${url}${serverPath(server.id)}  →  ${behind}`
}

/** Where clients reach everything at once. */
function aggregateLine(config: Config, url: string): string[] {
  const isThere = config.servers.length > 1 && aggregateAddress(config).length > 0
  return isThere ? [`  ${'all of them'.padEnd(12)} ${url}${MCP_PATH}`] : []
}

/** Which servers learn who calls, and how: an operator must not find it out from the other side. */
function toldLines({ servers, identityForwarding }: Config): string[] {
  const told = upstreamsOf(servers).map((server) => [server.id, toldText(identityToldTo(server, identityForwarding))])
  const lines = told.map(([id, ways]) => `${id} (${ways === '' ? 'no' : ways})`)
  return lines.length === 0 ? [] : [`  told who calls: ${lines.join(', ')}`]
}

function withoutSecrets(address: string): string {
  const { origin, pathname } = new URL(address)
  return `${origin}${pathname}`
}

/** How each common client is told of a server; the first one stands for all. */
function clientLines(name: string, address: string, inspectorToken: string): string[] {
  const entry = JSON.stringify({ name, type: 'http', url: address })
  const cursor = Buffer.from(JSON.stringify({ url: address })).toString('base64')
  const inspector = new URLSearchParams({ serverUrl: address, transport: 'http', autoConnect: inspectorToken })
  return [
    `Connect a client (${name}; the others alike)`,
    `  Claude Code    claude mcp add --transport http ${name} ${address}`,
    `  VS Code        code --add-mcp '${entry}'`,
    `  Cursor         cursor://anysphere.cursor-deeplink/mcp/install?name=${name}&config=${encodeURIComponent(cursor)}`,
    `  Inspector CLI  npx @modelcontextprotocol/inspector --cli ${address} --transport http --method tools/list`,
    `  Inspector      MCP_INSPECTOR_API_TOKEN=${inspectorToken} npx @modelcontextprotocol/inspector`,
    `                 then open http://127.0.0.1:6274/?${inspector}`,
  ]
}
