// The MCP servers behind the gate.
import { z } from 'zod'
import { serverAuth } from './auth.ts'
import { duration, fieldName, size, unique } from './units.ts'

/** RFC 9110 §7.6.1 and RFC 9112 §6: where a message ends and whom it is for is the connection's business. */
const FRAMING = [
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

const headerName = fieldName.refine(
  (name) => !FRAMING.includes(name.toLowerCase()),
  'This header frames the message and cannot be set.',
)
/** RFC 9110 §5.5: the connection to the server would refuse anything else, at the first call. */
const headerValue = z
  .string()
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'A header value has no line break and no control character.')

const common = {
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'Small letters, digits, dashes and underscores, at most 64.')
    .describe('Its address is /servers/{id}/mcp.'),
  title: z.string().optional().describe('Name shown to people. Default: the id.'),
  auth: serverAuth.optional().describe('Ways to knock at this server, where they differ from `auth`.'),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Its resource identity, where people reach it at another address than ours (forward-auth).'),
  requestTimeout: duration('5m').describe('Longest wait for the first byte of an answer.'),
  idleTimeout: duration('1h').describe('Longest silence inside an answer or stream.'),
}
const remote = z.strictObject({
  ...common,
  url: z.url({ protocol: /^https?$/ }).describe('Its Streamable HTTP endpoint.'),
  connectTimeout: duration('3s').describe('Time to open a connection.'),
  connections: z.int().min(1).default(128).describe('Most connections to it.'),
  maxAnswer: size('64mb').describe('Largest answer that is parsed for filtering.'),
  credentials: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('none') }),
      z.strictObject({
        type: z.literal('headers'),
        headers: z.record(headerName, headerValue).meta({ secret: true, description: 'Headers sent to it, by name.' }),
      }),
    ])
    .default({ type: 'none' })
    .describe("What it is given; never the caller's token. More kinds join with the vault."),
})
const stdio = z.strictObject({
  ...common,
  command: z
    .array(z.string())
    .min(1)
    .describe('Installed program and its arguments; no shell, nothing is downloaded at run time.'),
  cwd: z.string().optional().describe("Working folder. Default: the configuration file's."),
  env: z
    .record(z.string(), z.string())
    .default({})
    .meta({ secret: true, description: 'Its environment beside PATH, HOME, LANG and TZ.' }),
})
export type RemoteServerConfig = z.output<typeof remote>
export type StdioServerConfig = z.output<typeof stdio>
export type McpServerConfig = RemoteServerConfig | StdioServerConfig

export const servers = z
  .array(z.union([remote, stdio]))
  .default([])
  .describe('What stands behind the gate: each entry is `{ id, url, … }` (HTTP) or `{ id, command, … }` (stdio).')
  .check(unique('id', 'servers'))
