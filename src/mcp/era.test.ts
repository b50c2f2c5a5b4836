// Head against body: the table of MCP 2026-07-28, Transports, and what stays open to the handshake era.
import { describe, expect, it } from 'vitest'
import { RpcError } from '../protocol/errors.ts'
import { checkEra } from './era.ts'
import { readHead } from './headers.ts'
import { parseMessage } from './message.ts'

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const MODERN = ['MCP-Protocol-Version', '2026-07-28']
const message = (method: string, params?: object, id: unknown = 1) =>
  parseMessage(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params })), { depth: 64, keys: 1000 })
const era = (headers: string[], method: string, params?: object, id?: unknown) =>
  checkEra(message(method, params, id), readHead(headers))
const refusal = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    if (error instanceof RpcError) return { status: error.status, code: error.code, reason: error.reason }
    throw error
  }
  return undefined
}
const call = { name: 'évil tool', _meta: META }
const encoded = `=?base64?${Buffer.from('évil tool').toString('base64')}?=`

describe('modern', () => {
  it.each([
    [[...MODERN, 'Mcp-Method', 'tools/list'], 'tools/list', { _meta: META }],
    [[...MODERN, 'mcp-method', 'tools/call', 'MCP-NAME', encoded], 'tools/call', call],
    [
      [...MODERN, 'Mcp-Method', 'resources/read', 'Mcp-Name', 'file:///a'],
      'resources/read',
      { uri: 'file:///a', _meta: META },
    ],
    [[...MODERN, 'Mcp-Method', 'tasks/get', 'Mcp-Name', 't1'], 'tasks/get', { taskId: 't1', _meta: META }],
    [[...MODERN, 'Mcp-Method', 'acme/do', 'Mcp-Name', 'x'], 'acme/do', { name: 'x', _meta: META }],
    [MODERN, 'notifications/cancelled', { requestId: 1 }],
  ])('%j %s', (headers, method, params) => {
    const id = method.startsWith('notifications/') ? {} : { id: 1 }
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...id, method, params }))
    expect(checkEra(parseMessage(body, { depth: 64, keys: 1000 }), readHead(headers))).toBe('modern')
  })

  it.each([
    [
      'version differs',
      ['MCP-Protocol-Version', '2025-11-25', 'Mcp-Method', 'tools/list'],
      'tools/list',
      { _meta: META },
      -32020,
    ],
    ['version missing', ['Mcp-Method', 'tools/list'], 'tools/list', { _meta: META }, -32020],
    ['method missing', MODERN, 'tools/list', { _meta: META }, -32020],
    ['method differs', [...MODERN, 'Mcp-Method', 'tools/list'], 'tools/call', call, -32020],
    ['method in another case', [...MODERN, 'Mcp-Method', 'Tools/List'], 'tools/list', { _meta: META }, -32020],
    ['name missing', [...MODERN, 'Mcp-Method', 'tools/call'], 'tools/call', call, -32020],
    ['name differs', [...MODERN, 'Mcp-Method', 'tools/call', 'Mcp-Name', 'safe'], 'tools/call', call, -32020],
    [
      'name decodes to another',
      [...MODERN, 'Mcp-Method', 'tools/call', 'Mcp-Name', '=?base64?c2FmZQ==?='],
      'tools/call',
      call,
      -32020,
    ],
    [
      'sentinel in another case',
      [...MODERN, 'Mcp-Method', 'tools/call', 'Mcp-Name', encoded.replace('base64', 'BASE64')],
      'tools/call',
      call,
      -32020,
    ],
    [
      'name where the body has none',
      [...MODERN, 'Mcp-Method', 'tools/list', 'Mcp-Name', 'x'],
      'tools/list',
      { _meta: META },
      -32020,
    ],
    [
      'raw non-ASCII name',
      [...MODERN, 'Mcp-Method', 'tools/call', 'Mcp-Name', 'évil tool'],
      'tools/call',
      call,
      -32020,
    ],
    [
      'method twice',
      [...MODERN, 'Mcp-Method', 'tools/list', 'mcp-method', 'tools/list'],
      'tools/list',
      { _meta: META },
      -32020,
    ],
    ['version twice', [...MODERN, ...MODERN, 'Mcp-Method', 'tools/list'], 'tools/list', { _meta: META }, -32020],
    [
      'parameter twice',
      [...MODERN, 'Mcp-Method', 'tools/list', 'Mcp-Param-A', '1', 'mcp-param-a', '2'],
      'tools/list',
      { _meta: META },
      -32020,
    ],
    ['initialize under a modern head', MODERN, 'initialize', { protocolVersion: '2025-11-25' }, -32020],
    ['no _meta', [...MODERN, 'Mcp-Method', 'tools/list'], 'tools/list', {}, -32602],
    [
      'no capabilities',
      [...MODERN, 'Mcp-Method', 'tools/list'],
      'tools/list',
      { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } },
      -32602,
    ],
    [
      'version is no string',
      [...MODERN, 'Mcp-Method', 'tools/list'],
      'tools/list',
      { _meta: { ...META, 'io.modelcontextprotocol/protocolVersion': 1 } },
      -32602,
    ],
    ['_meta is no object', [...MODERN, 'Mcp-Method', 'tools/list'], 'tools/list', { _meta: 'x' }, -32602],
  ])('refuses: %s', (_, headers, method, params, code) => {
    expect(refusal(() => era(headers, method, params))).toMatchObject({ status: 400, code })
  })

  it('leaves an unsupported version to the upstream', () => {
    const meta = { ...META, 'io.modelcontextprotocol/protocolVersion': '2031-01-01' }
    expect(era(['MCP-Protocol-Version', '2031-01-01', 'Mcp-Method', 'tools/list'], 'tools/list', { _meta: meta })).toBe(
      'modern',
    )
  })

  it('takes no responses from clients', () => {
    const response = parseMessage(Buffer.from('{"jsonrpc":"2.0","id":1,"result":{}}'), { depth: 9, keys: 9 })
    expect(refusal(() => checkEra(response, readHead(MODERN)))).toMatchObject({ status: 400, code: -32600 })
    expect(checkEra(response, readHead(['MCP-Protocol-Version', '2025-11-25']))).toBe('legacy')
  })
})

describe('legacy', () => {
  it.each([
    [[], 'initialize', { protocolVersion: '2025-11-25' }],
    [['MCP-Protocol-Version', '2025-11-25'], 'tools/call', { name: 'x' }],
    [['MCP-Protocol-Version', '2025-11-25', 'Mcp-Method', 'tools/call', 'Mcp-Name', 'x'], 'tools/call', { name: 'x' }],
    [['MCP-Protocol-Version', 'nonsense'], 'tools/list', {}],
  ])('%j %s', (headers, method, params) => {
    expect(era(headers, method, params)).toBe('legacy')
  })

  it.each([
    ['a method that contradicts', ['Mcp-Method', 'tools/list'], 'tools/call', { name: 'x' }],
    ['a name that contradicts', ['Mcp-Name', 'safe'], 'tools/call', { name: 'evil' }],
    ['a name of nothing', ['Mcp-Name', 'safe'], 'tools/list', {}],
  ])('E6, E44: refuses %s', (_, headers, method, params) => {
    expect(refusal(() => era(headers, method, params))).toMatchObject({ status: 400, code: -32020 })
  })
})
