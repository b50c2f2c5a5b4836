// A small, useful MCP server, both wire eras (MCP 2026-07-28 and the handshake revisions): what time it is, what that is
// in other units, and what of a request the gate lets through.
import { createServer } from 'node:http'
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer, type ServerContext } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { convertUnits, UNITS, type Unit } from './units.ts'

/** Answers its URL. Loopback only: it trusts every header it is sent. */
export async function listenToolbox(port: number): Promise<string> {
  const handle = toNodeHandler(createMcpHandler(createToolbox))
  // MCP 2026-07-28, Transports: a web page must not reach a local server through a name of its own.
  const [knowsHost, knowsOrigin] = [localhostHostValidation(), localhostOriginValidation()]
  const server = createServer((req, res) => {
    const request = Object.assign(req, { method: req.method ?? 'GET', url: req.url ?? '/' })
    if (knowsHost(req, res) && knowsOrigin(req, res)) void handle(request, res)
  })
  server.listen(port, '127.0.0.1')
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : port}/mcp`
}

function createToolbox(): McpServer {
  const server = new McpServer(
    { name: 'toolbox', title: 'Toolbox', version: '1.0.0' },
    { instructions: 'Time, units, and the HTTP headers with which your calls arrive here.' },
  )
  addRequestTools(server)
  addTimeTools(server)
  addUnitTool(server)
  return server
}

const readOnly = { readOnlyHint: true, openWorldHint: false } as const

function addRequestTools(server: McpServer): void {
  server.registerTool(
    'get_request_headers',
    {
      title: 'Headers of this request',
      description:
        'All HTTP headers with which this call reached the server: what the gateway added, and what it let through. Credentials are shown by their kind and length.',
      annotations: readOnly,
    },
    (ctx) => json(arrivedHeaders(ctx)),
  )
  server.registerTool(
    'get_header',
    {
      title: 'One header of this request',
      description: 'One HTTP header with which this call reached the server.',
      inputSchema: z.object({
        name: z.string().describe('Its name, such as X-Forwarded-User; letter case does not matter.'),
      }),
      annotations: readOnly,
    },
    ({ name }, ctx) => text(arrivedHeaders(ctx)[name.toLowerCase()] ?? `No header ${name} arrived.`),
  )
  server.registerPrompt(
    'who_am_i_here',
    {
      title: 'Who am I here?',
      description: 'Explains who the server behind the gate thinks you are, and how it knows.',
    },
    () => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'text',
            text: 'Call get_request_headers. Then tell me in a few sentences who this server thinks I am, which headers say so, and whether any credential of mine reached it.',
          },
        },
      ],
    }),
  )
}

function addTimeTools(server: McpServer): void {
  server.registerTool(
    'get_time',
    {
      title: 'Time in a place',
      description:
        'Date and time now in an IANA time zone, such as Europe/Berlin. The resource toolbox://time-zones lists them.',
      inputSchema: z.object({
        zone: z
          .string()
          .refine(isTimeZone, 'Not an IANA time zone.')
          .default('UTC')
          .describe('IANA name of the time zone.'),
      }),
      annotations: readOnly,
    },
    ({ zone }) => text(new Date().toLocaleString('en-GB', { timeZone: zone, dateStyle: 'full', timeStyle: 'long' })),
  )
  server.registerResource(
    'time-zones',
    'toolbox://time-zones',
    { title: 'Time zones', description: 'Every time zone that get_time knows, one a line.', mimeType: 'text/plain' },
    (uri) => ({
      contents: [{ uri: uri.href, mimeType: 'text/plain', text: Intl.supportedValuesOf('timeZone').join('\n') }],
    }),
  )
}

function addUnitTool(server: McpServer): void {
  const names = Object.keys(UNITS) as [Unit, ...Unit[]]
  server.registerTool(
    'convert_units',
    {
      title: 'Convert units',
      description: 'Converts lengths, weights, volumes, temperatures and amounts of data.',
      inputSchema: z.object({
        value: z.number(),
        from: z.enum(names).describe('Unit of the value.'),
        to: z.enum(names).describe('Unit wanted; of the same kind.'),
      }),
      annotations: readOnly,
    },
    ({ value, from, to }) => {
      const converted = convertUnits(value, from, to)
      if (converted === undefined)
        return { ...text(`${UNITS[from].kind} cannot be given as ${UNITS[to].kind}.`), isError: true }
      return text(`${value} ${from} = ${converted} ${to}`)
    },
  )
}

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] })
const json = (value: unknown) => text(JSON.stringify(value, null, 2))

const SECRET = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-api-key'])

/** What a server is given to reach it is not for its callers, so credentials are described and not repeated. */
function arrivedHeaders(ctx: ServerContext): Record<string, string> {
  const headers = [...(ctx.http?.req?.headers ?? [])]
  return Object.fromEntries(headers.map(([name, value]) => [name, SECRET.has(name) ? describeSecret(value) : value]))
}

function describeSecret(value: string): string {
  const [scheme, rest] = value.split(' ', 2)
  return rest === undefined ? `(${value.length} characters)` : `${scheme} (${rest.length} characters)`
}

function isTimeZone(zone: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: zone }) !== undefined
  } catch {
    return false
  }
}
