// The oldest revision a server may be spoken to in. Catalogue row E44.
import { describe, expect, it } from 'vitest'
import { RpcError } from '../protocol/errors.ts'
import type { Revision } from '../protocol/mcp.ts'
import { readHead } from './headers.ts'
import { parseMessage } from './message.ts'
import { checkRevision } from './revision.ts'

const LIMITS = { depth: 32, keys: 100 }
const read = (message: object) => parseMessage(Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message })), LIMITS)
const opening = (protocolVersion: unknown) => read({ id: 1, method: 'initialize', params: { protocolVersion } })
const CALL = read({ id: 1, method: 'tools/call', params: { name: 'x' } })
const headOf = (version?: string) => readHead(version === undefined ? [] : ['MCP-Protocol-Version', version])

function refusalOf(minimum: Revision, incoming: ReturnType<typeof read> | undefined, version?: string) {
  try {
    checkRevision(minimum, { incoming, head: headOf(version), era: 'legacy' })
  } catch (error) {
    if (error instanceof RpcError && error.status === 400 && error.reason === 'revision_too_old') return error
    throw error
  }
  return undefined
}

describe('a handshake', () => {
  it.each(['2025-06-18', '2025-11-25'])('at or above the minimum passes: %s', (version) => {
    expect(refusalOf('2025-06-18', opening(version))).toBeUndefined()
  })

  it.each(['2025-03-26', '2024-11-05', '1.0', '9999', '', undefined, 20251125, ['2025-11-25']])(
    'below it, or in no revision there is, is told which there are: %j',
    (version) => {
      expect(refusalOf('2025-06-18', opening(version))).toMatchObject({
        code: -32602,
        message: 'Unsupported protocol version',
        data: { supported: ['2026-07-28', '2025-11-25', '2025-06-18'], requested: version },
      })
    },
  )

  it('goes by its body, whatever its head says', () => {
    expect(refusalOf('2025-06-18', opening('2025-03-26'), '2025-11-25')).toBeDefined()
    expect(refusalOf('2025-06-18', opening('2025-11-25'))).toBeUndefined()
  })
})

describe('a later request', () => {
  it.each([
    ['2025-06-18', '2025-11-25'],
    ['2025-06-18', '2025-06-18'],
    ['2025-03-26', undefined],
  ] as const)('at or above %s passes: %s', (minimum, version) => {
    expect(refusalOf(minimum, CALL, version)).toBeUndefined()
    expect(refusalOf(minimum, undefined, version)).toBeUndefined()
  })

  it.each([
    ['2025-06-18', '2025-03-26'],
    ['2025-06-18', undefined],
    ['2026-07-28', '2025-11-25'],
    ['2025-06-18', 'latest'],
  ] as const)('below %s is refused: %s', (minimum, version) => {
    for (const incoming of [CALL, undefined])
      expect(refusalOf(minimum, incoming, version)).toMatchObject({
        code: -32000,
        message: expect.stringContaining('Unsupported protocol version (supported versions: 2026-07-28'),
      })
  })
})

it('whoever speaks the newest era is never below', () => {
  expect(() => checkRevision('2026-07-28', { incoming: CALL, head: headOf('2026-07-28'), era: 'modern' })).not.toThrow()
})
