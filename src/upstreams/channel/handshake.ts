// The one initialization of a channel (MCP 2025-11-25, Lifecycle): we are its client.
import { isRecord } from '../../protocol/json.ts'
import { LEGACY_REVISIONS, OUR_INFO } from '../../protocol/mcp.ts'
import { type ChannelInitialization, UpstreamError } from '../upstream.ts'
import type { Multiplex } from './multiplex.ts'
import type { Transport } from './transport.ts'

const PATIENCE = 60_000
/** On a channel 2024-11-05 differs in nothing that passes through us. */
const SPOKEN: readonly string[] = [...LEGACY_REVISIONS, '2024-11-05']
/** Somebody of whom we know nothing yet answers for the caller: each question is refused by whoever cannot. */
const ANSWERS_QUESTIONS = { sampling: { tools: {} }, elicitation: { form: {}, url: {} }, roots: {} }

export async function handshake(needs: {
  call: Multiplex['call']
  notify: Transport['send']
  /** Each caller has one: what it asks is for them to answer. One that callers share has nobody to ask. */
  declares: boolean
}): Promise<ChannelInitialization> {
  const patience = new AbortController()
  const timer = setTimeout(() => patience.abort(), PATIENCE)
  try {
    const answer = await needs.call(
      {
        jsonrpc: '2.0',
        id: 0,
        method: 'initialize',
        params: {
          protocolVersion: LEGACY_REVISIONS[0],
          capabilities: needs.declares ? ANSWERS_QUESTIONS : {},
          clientInfo: OUR_INFO,
        },
      },
      { signal: patience.signal, onNotification() {} },
    )
    const initialization = parseInitialization(answer.result)
    await needs.notify({ jsonrpc: '2.0', method: 'notifications/initialized' })
    return initialization
  } catch (error) {
    if (!patience.signal.aborted) throw error
    throw new UpstreamError('timeout', 'The server did not initialize in time.', { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

function parseInitialization(result: unknown): ChannelInitialization {
  const refuse = (message: string) => new UpstreamError('protocol', message)
  if (!isRecord(result)) throw refuse('The server refused to initialize.')
  const { protocolVersion, capabilities, serverInfo, instructions } = result
  if (typeof protocolVersion !== 'string' || !SPOKEN.includes(protocolVersion))
    throw refuse(`The server speaks a revision that this gateway does not. It may speak ${SPOKEN.join(', ')}.`)
  if (!isRecord(capabilities) || !isRecord(serverInfo))
    throw refuse('The server initialized without saying what it is.')
  return {
    protocolVersion,
    capabilities,
    serverInfo,
    ...(typeof instructions === 'string' ? { instructions } : {}),
  }
}
