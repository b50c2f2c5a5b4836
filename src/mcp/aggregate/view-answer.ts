// What a view answers by itself, as it goes out.
import type { Ending } from '../relay.ts'
import type { RequestVisit, ViewVisit } from './visit.ts'

export const ANSWERED: Ending = { status: 200, outcome: 'answered', fault: undefined }

/** `result` is JSON already: lists are kept so, and a long one is not copied for every caller. */
export function sendResult({ exchange, incoming }: RequestVisit, result: Buffer, headers: string[] = []): Ending {
  const { res } = exchange
  const before = Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(incoming.id)},"result":`)
  headers.push('content-type', 'application/json', 'content-length', String(before.length + result.length + 1))
  res.cork()
  res.writeHead(200, headers)
  res.write(before)
  res.write(result)
  res.end('}')
  return ANSWERED
}

export const send = (visit: RequestVisit, result: string, headers: string[] = []): Ending =>
  sendResult(visit, Buffer.from(result), headers)

/** MCP 2025-11-25 and 2026-07-28, Transports: what is no request is accepted, and answered by nothing. */
export function accept({ exchange }: ViewVisit): Ending {
  exchange.res.writeHead(202, ['content-length', '0']).end()
  return { ...ANSWERED, status: 202 }
}
