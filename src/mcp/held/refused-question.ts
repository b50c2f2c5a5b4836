// What a server may ask of a client: only what the client said it can do, and no link that nobody should follow.
// MCP 2025-11-25, Client features; MCP 2026-07-28, Multi round-trip requests.
import { isLoopback } from '../../config/listen.ts'
import { isRecord } from '../../protocol/json.ts'

/** As the client declared them, in its handshake or with its request. */
export type ClientCapabilities = Readonly<Record<string, unknown>>
/** Stable slug: why a question goes no further. */
export type Refusal = 'not_declared' | 'unsafe_link' | 'not_a_question'

type Params = Readonly<Record<string, unknown>>

const LONGEST_LINK = 2048
/** As everybody reads it: no space, no control, no backslash, nothing beyond ASCII, which two readers could take for two hosts. */
const LINK = /^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/i

/** `undefined`: it may be asked. */
export function refusedQuestion(method: string, params: unknown, declared: ClientCapabilities): Refusal | undefined {
  const asked: Params = isRecord(params) ? params : {}
  // A task of the client's would outlive the question, and nobody here could tell whose it is.
  if ('task' in asked) return 'not_declared'
  if (method === 'ping') return undefined
  if (method === 'roots/list') return isRecord(declared['roots']) ? undefined : 'not_declared'
  if (method === 'sampling/createMessage') return refusedSampling(asked, declared['sampling'])
  if (method === 'elicitation/create') return refusedElicitation(asked, declared['elicitation'])
  return 'not_a_question'
}

/** What an `input_required` result asks: the first reason why it must not reach the client. Any other result asks nothing. */
export function refusedInput(result: unknown, declared: ClientCapabilities): Refusal | undefined {
  if (!isRecord(result) || result['resultType'] !== 'input_required') return undefined
  const requests = result['inputRequests'] ?? {}
  if (!isRecord(requests)) return 'not_a_question'
  for (const request of Object.values(requests)) {
    if (!isRecord(request) || typeof request['method'] !== 'string' || request['method'] === 'ping')
      return 'not_a_question'
    const refused = refusedQuestion(request['method'], request['params'], declared)
    if (refused !== undefined) return refused
  }
  return undefined
}

/** MCP 2025-11-25, Sampling: tools are offered only to a client that declared `sampling.tools`. */
function refusedSampling(asked: Params, sampling: unknown): Refusal | undefined {
  if (!isRecord(sampling)) return 'not_declared'
  return ('tools' in asked || 'toolChoice' in asked) && !isRecord(sampling['tools']) ? 'not_declared' : undefined
}

/** MCP 2025-11-25, Elicitation: an empty `elicitation` is the form mode alone. */
function refusedElicitation({ mode = 'form', url }: Params, elicitation: unknown): Refusal | undefined {
  if (!isRecord(elicitation)) return 'not_declared'
  if (mode === 'form')
    return isRecord(elicitation['form']) || !isRecord(elicitation['url']) ? undefined : 'not_declared'
  if (mode !== 'url') return 'not_a_question'
  if (!isRecord(elicitation['url'])) return 'not_declared'
  return isSafeLink(url) ? undefined : 'unsafe_link'
}

/** https, or http on this machine; a name before the host is how one host is made to look like another. */
export function isSafeLink(link: unknown): boolean {
  if (typeof link !== 'string' || link.length > LONGEST_LINK || !LINK.test(link)) return false
  const url = URL.parse(link)
  if (url === null || url.username !== '' || url.password !== '') return false
  return url.protocol === 'https:' || isLoopback(url.hostname)
}
