// The client's answer to a question of a server, on its way back to the session that asked. MCP 2025-11-25, Transports.
import { HEADER_PROTOCOL_VERSION, HEADER_SESSION } from '../../protocol/mcp.ts'
import type { RemoteUpstream, Upstream } from '../../upstreams/upstream.ts'
import { FAULTS, type Fault, faultOfError, faultOfHead } from '../fault.ts'
import type { Incoming } from '../message.ts'
import type { UpstreamPlace } from './judge.ts'
import { type Asked, type Questions, restoreId } from './questions.ts'

/** What became of it. `stray`: it answers nothing that is open here, and reached nobody; the client is told 202 all the same. */
export type Answered = 'taken' | 'stray' | Fault

interface Needs {
  readonly questions: Pick<Questions, 'consume'>
  get(server: string): Upstream | undefined
}

export function createAnswers({ questions, get }: Needs) {
  return async function answer(asked: Asked, incoming: Incoming & { kind: 'response' }): Promise<Answered> {
    const sealedId = incoming.message.id ?? ''
    const question = await questions.consume(asked, sealedId)
    const upstream = question && get(question.server)
    if (question === undefined || upstream?.kind !== 'remote') return 'stray'
    return (await tell(upstream, question, restoreId(incoming.body, String(sealedId), question.id))) ?? 'taken'
  }
}

/** One message to a session, of which no answer is expected. `undefined`: the server has it. */
export async function tell(
  upstream: RemoteUpstream,
  { session, revision }: Pick<UpstreamPlace, 'session' | 'revision'>,
  body: Buffer,
): Promise<Fault | undefined> {
  try {
    const {
      statusCode,
      headers,
      body: rest,
    } = await upstream.pool.request({
      path: upstream.path,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        [HEADER_PROTOCOL_VERSION]: revision,
        ...(session !== undefined && { [HEADER_SESSION]: session }),
        // Last, over everything else, as for every caller.
        ...upstream.credentialHeaders,
      },
      body,
      headersTimeout: upstream.requestTimeout,
      bodyTimeout: upstream.requestTimeout,
    })
    await rest.dump()
    return faultOfHead(statusCode, headers) ?? (statusCode < 400 ? undefined : FAULTS.upstream_error)
  } catch (error) {
    if (error instanceof Error) return faultOfError(error)
    throw error
  }
}
