// Asking the server behind us itself, over the connections that its calls use: with its authorities, its proxy, its addresses.
import type { Dispatcher } from 'undici'
import {
  HEADER_METHOD,
  HEADER_PROTOCOL_VERSION,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_PROTOCOL_VERSION,
  MODERN_REVISION,
  OUR_INFO,
} from '../../protocol/mcp.ts'
import { addPart } from '../../protocol/parts.ts'
import type { Fetch, Fetched } from '../authorization-server/fetch.ts'

const PATIENCE = 10_000
const LARGEST = 256 * 1024

/** Nothing was had. */
class NotAnswered extends Error {
  override readonly name = 'NotAnswered'
  readonly reason = 'unreachable'
}

export function ownOrigin(pool: Dispatcher): Fetch {
  return async (url, request) => {
    const { origin, pathname, search } = new URL(url)
    const signal = AbortSignal.timeout(PATIENCE)
    const body = request?.body
    try {
      const answer = await pool.request({
        origin,
        path: pathname + search,
        method: body === undefined ? 'GET' : 'POST',
        headers: { accept: 'application/json', ...request?.headers },
        ...(body !== undefined && { body }),
        signal,
      })
      const headers = new Headers()
      for (const [name, value] of Object.entries(answer.headers))
        for (const one of [value ?? []].flat()) headers.append(name, one)
      return { status: answer.statusCode, headers, body: await readAtMost(answer.body, LARGEST) }
    } catch (cause) {
      throw new NotAnswered('The server does not answer.', { cause })
    }
  }
}

async function readAtMost(body: AsyncIterable<Buffer>, most: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > most) throw new RangeError('The answer is too large.')
    addPart(chunks, chunk)
  }
  return Buffer.concat(chunks)
}

/** Asked by a stranger: in the newest revision, in which it begins nothing; what an older one does not know of it, it ignores. */
const QUESTION = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/list',
  params: {
    _meta: {
      [META_PROTOCOL_VERSION]: MODERN_REVISION,
      [META_CLIENT_INFO]: OUR_INFO,
      [META_CLIENT_CAPABILITIES]: {},
    },
  },
}

/** `WWW-Authenticate` of its 401. What else it answers says nothing of where its authorization server is. */
export async function probeChallenge(url: string, ask: Fetch): Promise<string | undefined> {
  const answer: Pick<Fetched, 'status' | 'headers'> = await ask(url, {
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      [HEADER_PROTOCOL_VERSION]: MODERN_REVISION,
      [HEADER_METHOD]: QUESTION.method,
    },
    body: JSON.stringify(QUESTION),
  })
  return answer.status === 401 ? (answer.headers.get('www-authenticate') ?? undefined) : undefined
}
