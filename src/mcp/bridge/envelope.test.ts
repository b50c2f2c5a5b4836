// The envelopes of both eras around one request and its answer.
import { describe, expect, it } from 'vitest'
import { RpcError } from '../../protocol/errors.ts'
import type { RpcNotification, RpcRequest } from '../../protocol/jsonrpc.ts'
import { type ClientHello, helloOfHandshake, helloOfRequest, isModernHello } from './hello.ts'
import { paramHeaders } from './param-headers.ts'
import { legacyRequest, logLevelOf, modernRequest, progressTokenOf } from './request.ts'
import { legacyResponse, modernResponse, notificationFor } from './response.ts'

const META = 'io.modelcontextprotocol/'
const LEGACY: ClientHello = {
  revision: '2025-06-18',
  capabilities: { sampling: {} },
  clientInfo: { name: 'c', version: '1' },
}
const MODERN: ClientHello = { ...LEGACY, revision: '2026-07-28' }

const call = (params: Record<string, unknown>, method = 'tools/call'): RpcRequest => ({
  jsonrpc: '2.0',
  id: 'client-1',
  method,
  params,
})
const asModern = (message: RpcRequest, given = {}) =>
  modernRequest(message, { id: 5, hello: LEGACY, logLevel: undefined, definition: undefined, ...given })

describe('what a client says of itself', () => {
  it('is kept of its handshake: a revision that we answer with, what it can do, its name', () => {
    const clientInfo = { name: 'n'.repeat(300), version: '2', title: 't', icons: [{ src: 'data:…' }] }
    const hello = helloOfHandshake({ protocolVersion: '2025-06-18', capabilities: { roots: {} }, clientInfo })
    expect(hello).toEqual({
      revision: '2025-06-18',
      capabilities: { roots: {} },
      clientInfo: { name: 'n'.repeat(256), version: '2', title: 't' },
    })
    expect(isModernHello(hello)).toBe(false)
    expect(helloOfHandshake({ protocolVersion: '2020-01-01' })).toEqual({
      revision: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'unknown', version: '0' },
    })
    expect(helloOfHandshake(undefined).revision).toBe('2025-11-25')
  })

  it('comes with each request in 2026-07-28', () => {
    const _meta = {
      [`${META}protocolVersion`]: '2026-07-28',
      [`${META}clientCapabilities`]: { elicitation: {} },
      [`${META}clientInfo`]: { name: 'c', version: '1' },
    }
    const hello = helloOfRequest({ _meta })
    expect(hello).toEqual({
      revision: '2026-07-28',
      capabilities: { elicitation: {} },
      clientInfo: { name: 'c', version: '1' },
    })
    expect(isModernHello(hello)).toBe(true)
  })

  it('is bounded', () => {
    const capabilities = (size: number) => ({ experimental: { x: 'x'.repeat(size) } })
    expect(() => helloOfHandshake({ capabilities: capabilities(9000) })).toThrow(RpcError)
    expect(helloOfHandshake({ capabilities: capabilities(8000) }).capabilities).toEqual(capabilities(8000))
  })
})

describe('a request for a server of 2026-07-28', () => {
  it('has the envelope, our id, and the head that its server compares', () => {
    const args = { message: 'hé', n: 1.5 }
    const { message, headers } = asModern(
      call({ name: 'écho', arguments: args, _meta: { own: 1, progressToken: 'p' } }),
    )
    expect(message).toEqual({
      jsonrpc: '2.0',
      id: 5,
      method: 'tools/call',
      params: {
        name: 'écho',
        arguments: args,
        _meta: {
          own: 1,
          progressToken: 5,
          [`${META}protocolVersion`]: '2026-07-28',
          // What it would ask for them, a client of a session could not be asked here.
          [`${META}clientCapabilities`]: {},
          [`${META}clientInfo`]: { name: 'c', version: '1' },
        },
      },
    })
    expect(headers).toEqual({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': '=?base64?w6ljaG8=?=',
    })
  })

  it('says the level that the client has set, and what a modern client can do', () => {
    const { message } = asModern(call({ uri: 'a://b' }, 'resources/read'), { hello: MODERN, logLevel: 'error' })
    expect(message.params?.['_meta']).toMatchObject({
      [`${META}logLevel`]: 'error',
      [`${META}clientCapabilities`]: { sampling: {} },
    })
    expect(logLevelOf(message)).toBe('error')
    expect(asModern(call({ uri: 'a://b' }, 'resources/read')).headers['mcp-name']).toBe('a://b')
    expect(asModern({ jsonrpc: '2.0', id: 1, method: 'tools/list' }).headers).not.toHaveProperty('mcp-name')
  })

  it('takes nothing of the envelope from the client', () => {
    const _meta = { [`${META}protocolVersion`]: '1999-01-01', [`${META}clientCapabilities`]: { sampling: {} } }
    expect(asModern(call({ name: 'x', _meta })).message.params?.['_meta']).toMatchObject({
      [`${META}protocolVersion`]: '2026-07-28',
      [`${META}clientCapabilities`]: {},
    })
  })

  it('mirrors the arguments that its tool wants mirrored', () => {
    const properties = {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      count: { type: 'integer', 'x-mcp-header': 'Count' },
      deep: { type: 'object', properties: { on: { type: 'boolean', 'x-mcp-header': 'On' } } },
      gone: { type: 'string', 'x-mcp-header': 'Gone' },
      none: { type: 'string', 'x-mcp-header': 'None' },
      bad: { type: 'string', 'x-mcp-header': 'a b\r\n' },
      plain: { type: 'string' },
      list: { type: 'array', items: { type: 'string', 'x-mcp-header': 'Item' } },
    }
    const definition = { name: 'x', inputSchema: { type: 'object', properties } }
    const args = { region: ' ü', count: 3, deep: { on: false }, none: null, bad: 'b', plain: 'p', list: ['i'] }
    expect(paramHeaders(definition, args)).toEqual({
      'mcp-param-region': '=?base64?IMO8?=',
      'mcp-param-count': '3',
      'mcp-param-on': 'false',
    })
    expect(asModern(call({ name: 'x', arguments: args }), { definition }).headers).toHaveProperty('mcp-param-count')
    expect(paramHeaders(undefined, args)).toEqual({})
    expect(paramHeaders(definition, undefined)).toEqual({})
  })

  it('mirrors nothing that is not an own argument, and comes to an end', () => {
    const endless: Record<string, unknown> = { type: 'object', 'x-mcp-header': 'X' }
    endless['properties'] = { toString: { 'x-mcp-header': 'A' }, self: endless }
    const args: Record<string, unknown> = {}
    args['self'] = args
    expect(paramHeaders({ inputSchema: endless }, args)).toEqual({})
  })
})

describe('a request for a server of the handshake era', () => {
  it('has nothing of the envelope of 2026-07-28, and our id', () => {
    const _meta = { [`${META}protocolVersion`]: '2026-07-28', [`${META}logLevel`]: 'info', own: 1, progressToken: 0 }
    const message = call({ name: 'x', arguments: { a: 1 }, inputResponses: {}, requestState: 's', _meta })
    expect(progressTokenOf(message)).toBe(0)
    expect(legacyRequest(message, 5)).toEqual({
      ...message,
      id: 5,
      params: { name: 'x', arguments: { a: 1 }, _meta: { own: 1, progressToken: 5 } },
    })
  })

  it('has no `_meta` where there is nothing to say', () => {
    const { params } = legacyRequest(call({ name: 'x', _meta: { [`${META}clientCapabilities`]: {} } }), 5)
    expect(params).toEqual({ name: 'x' })
    expect(legacyRequest({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, 5)).not.toHaveProperty('params')
  })
})

describe('an answer', () => {
  const asked = { method: 'tools/call', id: 'client-1' }
  const listed = { method: 'tools/list', id: 'client-1' }
  const answer = (result: object) => ({ jsonrpc: '2.0' as const, id: 5, result })
  const fault = (code: number) => ({ jsonrpc: '2.0' as const, id: 5, error: { code, message: 'no', data: { d: 1 } } })

  it('is complete, and names its server, to a modern client', () => {
    const serverInfo = { name: 's', version: '1' }
    expect(modernResponse(answer({ content: [], _meta: { own: 1 } }), asked, serverInfo)).toEqual({
      jsonrpc: '2.0',
      id: 'client-1',
      result: { content: [], resultType: 'complete', _meta: { own: 1, [`${META}serverInfo`]: serverInfo } },
    })
    expect(modernResponse(answer({ tools: [] }), listed, undefined).result).toEqual({
      tools: [],
      resultType: 'complete',
      ttlMs: 0,
      cacheScope: 'private',
    })
  })

  it('cannot be made shared or lasting by a server that does not know these words', () => {
    const lying = answer({ contents: [], ttlMs: 1e9, cacheScope: 'public', resultType: 'input_required' })
    expect(modernResponse(lying, { method: 'resources/read', id: 1 }, undefined).result).toEqual({
      contents: [],
      resultType: 'complete',
      ttlMs: 0,
      cacheScope: 'private',
    })
  })

  it.each([
    [-32002, -32602],
    [-32042, -32603],
    [-32000, -32000],
    [-32601, -32601],
  ])('that is the error %s is %s to a modern client', (code, told) => {
    expect(modernResponse(fault(code), asked, undefined)).toEqual({ ...fault(told), id: 'client-1' })
  })

  it('has nothing of 2026-07-28 to a client of the handshake era', () => {
    const modern = {
      resultType: 'complete',
      ttlMs: 5,
      cacheScope: 'public',
      _meta: { [`${META}serverInfo`]: {}, own: 1 },
    }
    expect(legacyResponse(answer({ tools: [], nextCursor: 'n', ...modern }), listed)).toEqual({
      jsonrpc: '2.0',
      id: 'client-1',
      result: { tools: [], nextCursor: 'n', _meta: { own: 1 } },
    })
    expect(legacyResponse(answer({ content: [], resultType: 'complete' }), asked).result).toEqual({ content: [] })
  })

  it('that asks for input is told as what it is, to whoever can read it', () => {
    for (const response of [answer({ resultType: 'input_required', inputRequests: {} }), fault(-32021)]) {
      expect(legacyResponse(response, asked).result).toMatchObject({ isError: true, content: [{ type: 'text' }] })
      expect(legacyResponse(response, { method: 'prompts/get', id: 1 }).error).toMatchObject({ code: -32603 })
    }
  })

  it.each([
    [-32020, -32603],
    [-32022, -32603],
    [-32602, -32602],
  ])('that is the error %s is %s to a client of the handshake era', (code, told) => {
    expect(legacyResponse(fault(code), asked).error).toMatchObject({ code: told, message: 'no' })
  })
})

describe('what a server says during a call', () => {
  const heard = { ourToken: 5, progressToken: 'p', logLevel: 'warning' }
  const progress = (progressToken: unknown): RpcNotification => ({
    jsonrpc: '2.0',
    method: 'notifications/progress',
    params: { progressToken, progress: 1 },
  })
  const log = (level: unknown): RpcNotification => ({
    jsonrpc: '2.0',
    method: 'notifications/message',
    params: { level, data: 'd' },
  })

  it("is its progress, under the client's token", () => {
    expect(notificationFor(progress(5), heard)).toEqual(progress('p'))
  })

  it("E37 is not the progress of another's call, nor of one that was not asked for", () => {
    for (const forged of ['p', 6, '5', undefined]) expect(notificationFor(progress(forged), heard)).toBeUndefined()
    expect(notificationFor(progress(5), { ...heard, progressToken: undefined })).toBeUndefined()
  })

  it('is what it logs, where and as far as that was asked for', () => {
    expect(notificationFor(log('error'), heard)).toEqual(log('error'))
    for (const level of ['info', 'loud', undefined]) expect(notificationFor(log(level), heard)).toBeUndefined()
    expect(notificationFor(log('error'), { ...heard, logLevel: undefined })).toBeUndefined()
  })

  it('is nothing else', () => {
    for (const method of ['notifications/tools/list_changed', 'notifications/resources/updated', 'x'])
      expect(notificationFor({ jsonrpc: '2.0', method, params: {} }, heard)).toBeUndefined()
  })
})
