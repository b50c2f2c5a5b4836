// One message to a server that no answer of its own is expected to: what a client answered, has cancelled, or says of its roots.
// MCP 2025-11-25, Transports: a notification or response is answered with 202.
import { HEADER_PROTOCOL_VERSION, HEADER_SESSION } from '../../../protocol/mcp.ts'
import type { RemoteUpstream } from '../../../upstreams/upstream.ts'
import { FAULTS, type Fault, faultOfError, faultOfHead } from '../../fault.ts'
import type { UpstreamPlace } from './server-message.ts'

/** As bytes, in the session. `undefined`: the server has it. */
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
        ...upstream.addedHeaders,
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
