// Using a session at a server that may have forgotten it: MCP 2025-11-25, Transports: 404 means to start again.
import { SessionLost } from './handshake.ts'

/** What may be asked twice, since it changes nothing, or nothing more the second time. */
const REPEATABLE = new Set([
  'ping',
  'tools/list',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'completion/complete',
  'logging/setLevel',
])

/** A lost session is opened anew, and a request that may be repeated is; any other is told of it, and the next call finds the new session. */
export async function withSession<Session, T>(
  source: {
    get(signal: AbortSignal): Promise<Session>
    lost(session: Session): void | Promise<void>
  },
  { method, signal }: { readonly method: string; readonly signal: AbortSignal },
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const attempt = async (): Promise<T> => {
    const session = await source.get(signal)
    try {
      return await use(session)
    } catch (error) {
      if (error instanceof SessionLost) await source.lost(session)
      throw error
    }
  }
  try {
    return await attempt()
  } catch (error) {
    if (!(error instanceof SessionLost) || !REPEATABLE.has(method)) throw error
    return attempt()
  }
}
