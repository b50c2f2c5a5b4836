// The MCP servers behind the gate.
import { z } from 'zod'
import { compileGlob } from '../protocol/glob.ts'
import { LEGACY_REVISIONS, MODERN_REVISION } from '../protocol/mcp.ts'
import { addressRange } from './address-range.ts'
import { serverAuth } from './auth.ts'
import { credentials } from './credentials.ts'
import { identityForwarding, passthroughHeaders } from './forwarding.ts'
import { duration, size, unique } from './units.ts'

const common = {
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'Small letters, digits, dashes and underscores, at most 64.')
    .describe('Its address is /servers/{id}/mcp.'),
  title: z.string().optional().describe('Name shown to people. Default: the id.'),
  name: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, 'Printable ASCII without spaces, at most 256.')
    .optional()
    .describe('What other systems call it in claims and headers, such as `namespace/name`. Default: the id.'),
  auth: serverAuth.optional().describe('Ways to knock at this server, where they differ from `auth`.'),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Its resource identity, where people reach it at another address than ours (forward-auth).'),
}
const upstream = {
  ...common,
  requestTimeout: duration('5m').describe('Longest wait for an answer, or for the beginning of a long one.'),
  idleTimeout: duration('1h').describe('Longest silence inside an answer or stream.'),
  minimumRevision: z
    .enum([...LEGACY_REVISIONS, MODERN_REVISION])
    .optional()
    .describe('Oldest revision of MCP that callers may speak to it; a request that names none speaks 2025-03-26.'),
  identity: identityForwarding.optional(),
  passthroughHeaders: passthroughHeaders.optional(),
  lists: z
    .enum(['shared', 'personal'])
    .default('shared')
    .describe(
      'Whether what it offers is asked for once for everybody, without saying for whom, or for each person apart. Always personal where its credential is a person’s own.',
    ),
  concurrency: z
    .int()
    .min(1)
    .default(256)
    .describe(
      'Most calls under way at it at once; as many more wait, as long as a connection may take, then are refused. Open streams do not count.',
    ),
  concurrencyShare: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe(
      'Part of these that one caller may have under way, and as many waiting: rounded down, at least one. Of remote servers over HTTP/1.1 no more than of `connections`. 1 is all.',
    ),
  breaker: z
    .strictObject({
      failures: z.int().min(1).default(10).describe('After so many failures in a row nobody is sent to it.'),
      rest: duration('10s').describe('How long, before one call at a time tries again.'),
    })
    .prefault({})
    .describe('A server that fails is left alone for a while.'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{0,32}$/, 'Letters, digits, _, . and -, at most 32.')
    .optional()
    .describe('Before its names at /mcp, separator included. Default: the id and `aggregate.separator`.'),
  pin: z
    .enum(['off', 'warn', 'quarantine'])
    .optional()
    .describe(
      'What happens to a tool whose definition changed: nothing, a warning, or hidden until it is approved. Default: warn.',
    ),
}
/** How many processes or connections there are, for what is spoken to over one lasting channel. */
const instances = {
  instances: z
    .enum(['shared', 'per-principal', 'pool'])
    .optional()
    .describe(
      'One for all callers, one for each, or `poolSize` that callers share. Default: shared for a command without a personal credential, else per-principal.',
    ),
  poolSize: z.int().min(1).max(64).default(4).describe('How many, under `instances: pool`.'),
  mostInstances: z.int().min(1).default(64).describe('Most at once, under per-principal; the longest idle goes first.'),
  instanceIdle: duration('10m').describe('An instance of one principal that nobody uses for so long ends.'),
}
const upstreamTls = z.strictObject({
  ca: z
    .string()
    .optional()
    .describe('File with the authorities whose certificates count (PEM), in place of the usual ones.'),
  cert: z.string().optional().describe('File with our certificate for it (PEM).'),
  key: z.string().optional().describe('File with its key (PEM).'),
  serverName: z.string().optional().describe('Name its certificate is for. Default: that of the address.'),
})
const remote = z.strictObject({
  ...upstream,
  url: z.url({ protocol: /^(?:https?|wss?)$/ }).describe('Its endpoint.'),
  connectTimeout: duration('3s').describe('Time to open a connection.'),
  connections: z.int().min(1).default(256).describe('Most connections to it.'),
  maxAnswer: size('64mb').describe('Largest answer that is parsed for filtering.'),
  transport: z
    .enum(['http', 'sse', 'websocket'])
    .optional()
    .describe('Streamable HTTP, HTTP+SSE of 2024-11-05, or WebSocket. Default: by the address, ws(s) or http(s).'),
  tls: upstreamTls.optional().describe('Whom it is trusted by, and as whom we come.'),
  proxy: z
    .url({ protocol: /^https?$/ })
    .meta({
      secret: 'url',
      description:
        'Proxy on the way to it (CONNECT), with user and password where it wants them: http://user:password@host:3128.',
    })
    .optional(),
  http2: z.boolean().default(false).describe('Speak HTTP/2 where its TLS offers it.'),
  addresses: z
    .array(z.union([z.literal('public'), z.literal('private'), z.literal('loopback'), addressRange]))
    .optional()
    .describe(
      'Where its name may lead. Default: anywhere but link-local addresses, which must be written in `url`. A name is looked up once a minute, and connected to as it was judged.',
    ),
  credentials,
  ...instances,
})
const stdio = z.strictObject({
  ...upstream,
  command: z
    .array(z.string())
    .min(1)
    .describe('Installed program and its arguments; no shell, nothing is downloaded at run time.'),
  cwd: z
    .string()
    .optional()
    .describe(
      "Working folder. Default: the configuration file's where the command or env names something there, else a folder of its own below `store.directory`.",
    ),
  env: z
    .record(z.string(), z.string())
    .default({})
    .meta({ secret: true, description: 'Its environment beside PATH, HOME, LANG and TZ.' }),
  credentials: credentials.describe('Given to it in its environment, by `credentialEnv`.'),
  credentialEnv: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'Letters, digits and underscores.')
    .optional()
    .describe('Variable that holds its credential, without a prefix such as `Bearer `.'),
  ...instances,
  limits: z
    .strictObject({
      memory: size('0').describe('Most memory of one process (its data; Node needs 640mb); 0 is no limit.'),
      cpu: duration('0').describe('Most processor time of one process; 0 is no limit.'),
      files: z.int().min(0).default(0).describe('Most open files; 0 is no limit.'),
      processes: z
        .int()
        .min(0)
        .default(0)
        .describe('Most processes of our user (RLIMIT_NPROC; of the server under systemd-run); 0 is no limit.'),
      line: size('16mb').describe('Longest message it may write.'),
    })
    .prefault({})
    .describe('What one of its processes may use; kept by prlimit of util-linux, without which it is not started.'),
  sandbox: z
    .enum(['none', 'auto', 'bwrap', 'systemd-run'])
    .default('none')
    .describe(
      'What it is started in: bwrap shows it a file system it cannot write to, systemd-run keeps limits for all of its processes. `auto` takes one that works here, and none where there is none.',
    ),
})
const PICK = /^[^/\s]+\/\S+$/
const PICK_FORM = 'Write server/name; * is a wildcard.'
const picks = (what: string) =>
  z
    .array(
      z.union([
        z.string().regex(PICK, PICK_FORM),
        z.strictObject({
          from: z.string().regex(/^[^/*\s]+\/[^*\s]+$/, 'Write server/name of one thing, without a wildcard.'),
          name: z.string().min(1).max(64).optional().describe('What it is called here.'),
          title: z.string().optional().describe('Name shown to people here.'),
          description: z.string().optional().describe('What it is said to do here.'),
        }),
      ]),
    )
    .describe(`${what} it shows: \`server/name\` globs, or \`{ from, name, title, description }\` for one of them.`)
const virtual = z
  .strictObject({
    ...common,
    tools: picks('Tools'),
    prompts: picks('Prompts').default([]),
    resources: picks('Resources (by URI)').default([]),
    instructions: z.string().optional().describe('What clients are told of its use.'),
  })
  .refine(({ tools, prompts, resources }) => tools.length + prompts.length + resources.length > 0, {
    message: 'It shows nothing. Name tools, prompts or resources of other servers.',
  })
export type RemoteServerConfig = z.output<typeof remote>
export type StdioServerConfig = z.output<typeof stdio>
/** A view over others. */
export type VirtualServerConfig = z.output<typeof virtual>
/** Something that runs and is asked. */
export type UpstreamConfig = RemoteServerConfig | StdioServerConfig
export type McpServerConfig = UpstreamConfig | VirtualServerConfig

export const isVirtual = (config: McpServerConfig): config is VirtualServerConfig =>
  !('url' in config || 'command' in config)

export const upstreamsOf = (servers: readonly McpServerConfig[]): readonly UpstreamConfig[] =>
  servers.filter((config): config is UpstreamConfig => !isVirtual(config))

/** A pick of a server that is not there would show nothing, and say nothing. */
function pickedFrom({ value, issues }: { value: readonly McpServerConfig[]; issues: z.core.$ZodRawIssue[] }): void {
  const known = upstreamsOf(value).map(({ id }) => id)
  value.forEach((config, index) => {
    if (!isVirtual(config)) return
    for (const kind of ['tools', 'prompts', 'resources'] as const)
      config[kind].forEach((pick, at) => {
        const source = typeof pick === 'string' ? pick : pick.from
        const server = compileGlob(source.slice(0, source.indexOf('/')))
        if (known.some(server.matches)) return
        const message = `No server is called ${server.pattern}. Name one that has a url or a command; * is a wildcard.`
        issues.push({ code: 'custom', message, input: source, path: [index, kind, at] })
      })
  })
}

/** Claims and headers speak of a server by its name, else by its id: another's id would be two servers at once. */
function checkNames({
  value,
  issues,
}: {
  value: readonly { readonly id: string; readonly name?: string | undefined }[]
  issues: z.core.$ZodRawIssue[]
}): void {
  const ids = new Set(value.flatMap(({ id, name }) => (name === undefined ? [id] : [])))
  value.forEach(({ name }, index) => {
    if (name !== undefined && ids.has(name))
      issues.push({ code: 'custom', message: `Two servers are called ${name}.`, input: name, path: [index, 'name'] })
  })
}

export const servers = z
  .array(z.union([remote, stdio, virtual]))
  .default([])
  .describe(
    'What stands behind the gate: each entry is `{ id, url, … }` (HTTP), `{ id, command, … }` (stdio), or a view over others, `{ id, tools: [server/tool …] }`.',
  )
  .check(unique('id', 'servers'))
  .check(unique('name', 'servers'))
  .check(checkNames)
  .check(pickedFrom)
