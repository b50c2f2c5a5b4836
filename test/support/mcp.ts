// One MCP 2026-07-28 request written by hand: for tests that look at the status, the headers and the bytes.

export interface McpAnswer {
  readonly status: number
  readonly headers: Headers
  /** The JSON-RPC message, whether it came as JSON or as the last event of a stream; the raw text when it is none. */
  readonly body: Record<string, unknown>
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

export const callTool = (
  url: string,
  token: string | undefined,
  name: string,
  args: Record<string, unknown> = {},
  headers: Record<string, string> = {},
) => request(url, token, 'tools/call', { name, arguments: args }, { 'mcp-name': name, ...headers })

export const listTools = (url: string, token: string | undefined) => request(url, token, 'tools/list', {})

export async function request(
  url: string,
  token: string | undefined,
  method: string,
  params: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<McpAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: META } }),
  })
  return { status: response.status, headers: response.headers, body: parseBody(await response.text()) }
}

function parseBody(text: string): Record<string, unknown> {
  const events = [...text.matchAll(/^data: ?(.+)$/gm)].map((match) => match[1] ?? '')
  try {
    return JSON.parse(events.at(-1) ?? text) as Record<string, unknown>
  } catch {
    return { text }
  }
}
