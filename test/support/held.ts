// A call of 2026-07-28 that is made by hand, round by round: for tests that look at the state between two of them.

export interface Round {
  readonly status: number
  readonly result: Record<string, unknown> | undefined
  readonly error: { readonly code: number; readonly message: string } | undefined
  /** What the client is to come back with. */
  readonly state: string | undefined
  /** By our names for them. */
  readonly questions: Readonly<Record<string, { readonly method: string; readonly params?: Record<string, unknown> }>>
  /** Everything that came, as JSON. */
  readonly messages: readonly Record<string, unknown>[]
}

export interface Sent {
  readonly args?: Record<string, unknown>
  readonly capabilities?: Record<string, unknown>
  readonly state?: string | undefined
  readonly responses?: Record<string, unknown>
  readonly progressToken?: string
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

const CAPABLE = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} }
let id = 0

export async function round(url: string, token: string, tool: string, sent: Sent = {}): Promise<Round> {
  const { args = {}, capabilities = CAPABLE, state, responses, progressToken, headers, signal } = sent
  id += 1
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    ...(progressToken !== undefined && { progressToken }),
  }
  const params = {
    name: tool,
    arguments: args,
    ...(state !== undefined && { requestState: state }),
    ...(responses !== undefined && { inputResponses: responses }),
    _meta,
  }
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': tool,
      ...(token !== '' && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }),
    ...(signal !== undefined && { signal }),
  })
  const text = await response.text()
  const parts = [...text.matchAll(/^data: ?(.+)$/gm)].map((match) => match[1] ?? '')
  const messages = (parts.length === 0 ? [text] : parts).map(parse)
  const last = messages.at(-1) ?? {}
  const { result, error } = last as { result?: Record<string, unknown>; error?: Round['error'] }
  return {
    status: response.status,
    result,
    error,
    state: result?.['requestState'] as string | undefined,
    questions: (result?.['inputRequests'] ?? {}) as Round['questions'],
    messages,
  }
}

/** One result for everything that is asked. */
export const answering = (questions: Round['questions'], result: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.keys(questions).map((key) => [key, result]))

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return { text }
  }
}
