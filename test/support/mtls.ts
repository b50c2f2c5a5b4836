// A gate that takes client certificates, before a canary: who knocks with which, and what became of it.
import type { OutgoingHttpHeaders } from 'node:http'
import { type Canary, startCanary } from './canary.ts'
import { type GatewayOptions, startGateway, type TestGateway } from './gateway.ts'
import { MCP_PATH, toolCall } from './range.ts'
import { createTlsFolder, type HttpsAnswer, httpsClient, type Shown, type TlsFolder, type TlsWish } from './tls.ts'

export interface MtlsRange {
  readonly gateway: TestGateway
  readonly canary: Canary
  readonly folder: TlsFolder
  /** One `tools/call` on a connection of its own. */
  call(client: Shown['client'], headers?: OutgoingHttpHeaders): Promise<HttpsAnswer>
  /** Calls that reached the server behind. */
  reached(): number
  /** Lines of the log with that reason. */
  logged(reason: string): Record<string, unknown>[]
  close(): Promise<void>
}

export const CALL_HEADERS: OutgoingHttpHeaders = {
  'Content-Type': 'application/json',
  Accept: 'application/json, text/event-stream',
  'MCP-Protocol-Version': '2026-07-28',
  'Mcp-Method': 'tools/call',
  'Mcp-Name': 'read_note',
}

export async function startMtlsRange({
  tls,
  server,
  ...options
}: GatewayOptions & { readonly tls?: TlsWish } = {}): Promise<MtlsRange> {
  const folder = createTlsFolder(tls)
  const canary = await startCanary()
  const gateway = await startGateway({
    servers: [{ id: 'canary', url: canary.url }],
    ...options,
    server: { tls: folder.tls, ...server },
  })
  return {
    gateway,
    canary,
    folder,
    async call(client, headers = {}) {
      const caller = httpsClient(gateway.port, { authority: folder.authority, client })
      try {
        return await caller.post(MCP_PATH, toolCall('modern'), { ...CALL_HEADERS, ...headers })
      } finally {
        caller.close()
      }
    },
    reached: () => canary.requests.length,
    logged: (reason) =>
      gateway.log
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter((line) => line['reason'] === reason),
    async close() {
      await gateway.close()
      await canary.close()
      folder.remove()
    },
  }
}
