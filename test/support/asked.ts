// A client of either era that can be asked: the official one, with a person, a model and folders behind it. It keeps what it was asked.
import {
  Client,
  type ClientOptions,
  SSEClientTransport,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import type { Mode } from './sdk.ts'

export interface AskedHost {
  readonly client: Client
  /** Methods that it was asked, in order. */
  readonly asked: readonly { readonly method: string; readonly params: unknown }[]
  close(): Promise<void>
}

export type Able = NonNullable<ClientOptions['capabilities']>

type Content = Record<string, string | number | boolean | string[]>
export interface Says {
  readonly action?: 'accept' | 'decline' | 'cancel'
  readonly content?: Content
}

const ABLE: Able = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} }

/** Not connected yet. */
export function createAsked(
  mode: Mode,
  { able = ABLE, says = {} }: { able?: Able; says?: Says } = {},
): Pick<AskedHost, 'client' | 'asked'> {
  const asked: { method: string; params: unknown }[] = []
  const client = new Client({ name: 'asked', version: '1' }, { versionNegotiation: { mode }, capabilities: able })
  if (able.elicitation !== undefined)
    client.setRequestHandler('elicitation/create', ({ method, params }) => {
      asked.push({ method, params })
      const { action = 'accept', content = { name: 'Ann' } } = says
      const isForm = !('mode' in params) || params.mode !== 'url'
      return action === 'accept' && isForm ? { action, content } : { action }
    })
  if (able.sampling !== undefined)
    client.setRequestHandler('sampling/createMessage', ({ method, params }) => {
      asked.push({ method, params })
      return { role: 'assistant', model: 'a-model', content: { type: 'text', text: 'Paris' } }
    })
  if (able.roots !== undefined)
    client.setRequestHandler('roots/list', ({ method, params }) => {
      asked.push({ method, params })
      return { roots: [{ uri: 'file:///home/ann/notes', name: 'notes of Ann' }] }
    })
  return { client, asked }
}

export async function connectAsked(
  url: string,
  token: string,
  mode: Mode,
  { older = false, ...options }: { able?: Able; says?: Says; older?: boolean } = {},
): Promise<AskedHost> {
  const { client, asked } = createAsked(mode, options)
  const headers = { authorization: `Bearer ${token}` }
  const requestInit = { headers }
  // HTTP+SSE of 2024-11-05.
  const eventSourceInit = {
    fetch: (at: string | URL, init?: RequestInit) => fetch(at, { ...init, headers: { ...headers } }),
  }
  const transport = older
    ? new SSEClientTransport(new URL(url), { requestInit, eventSourceInit })
    : new StreamableHTTPClientTransport(new URL(url), { requestInit })
  await client.connect(transport)
  return { client, asked, close: () => client.close() }
}

/** The text of a tool's result. */
export const textOf = (result: unknown): string =>
  ((result as { content?: { text?: string }[] }).content ?? []).map(({ text = '' }) => text).join('\n')
