import { describe, expect, it } from 'vitest'
import { Config } from '../config/schema.ts'
import { createPolicy } from '../policy/create.ts'
import { createScopeGate } from '../policy/scopes.ts'
import { BearerError, RequestError, RpcError } from '../protocol/errors.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { forwardedCalls } from './forwarded.ts'

const config = Config.parse({
  servers: [{ id: 'notes', url: 'http://127.0.0.1:1/mcp' }],
  policy: {
    rules: [
      { id: 'read', allow: ['notes/read_*', 'resource:notes/file:///public/*', 'prompt:notes/*'], to: ['*'] },
      { id: 'no-secret', deny: ['notes/read_secret'], to: ['*'] },
    ],
  },
  scopes: { 'mcp:tools': { title: 'Use the tools', covers: ['*/*'] } },
})
const { checkScopes } = createScopeGate({ scopes: config.scopes, requiredScopes: [] })
const judge = forwardedCalls({
  policy: createPolicy(config),
  checkScopes,
  admit: () => () => undefined,
  minimumRevision: () => undefined,
  limits: config.server.limits,
})
const ann: Principal = {
  ...ANONYMOUS,
  kind: 'person',
  subject: 'ann',
  identity: 'ann',
  scopeRule: 'covers',
  scopes: ['mcp:tools'],
  method: 'access_token',
}

type Fields = readonly (readonly [string, string])[]
const MODERN: Fields = [
  ['MCP-Protocol-Version', '2026-07-28'],
  ['Mcp-Method', 'tools/call'],
  ['Mcp-Name', 'read_note'],
]
const JSON_TYPE: Fields = [['Content-Type', 'application/json']]

function ask(fields: Fields, message?: object, principal = ann) {
  const headers = Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]))
  const body = message === undefined ? undefined : Buffer.from(JSON.stringify(message))
  const request = { address: '192.0.2.1', at: 0 }
  return judge({ principal, server: 'notes', headers, rawHeaders: fields.flat(), body, request })
}
const reasonOf = async (run: () => Promise<unknown>): Promise<string> => {
  try {
    await run()
  } catch (error) {
    if (error instanceof RequestError || error instanceof RpcError || error instanceof BearerError) return error.reason
    throw error
  }
  return 'judged'
}
const call = (name: string, more: object = {}) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: {}, ...more },
})
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const named = (method: string, name?: string): Fields => [
  MODERN[0] ?? ['', ''],
  ['Mcp-Method', method],
  ...(name === undefined ? [] : ([['Mcp-Name', name]] as const)),
]

describe('a call that an ingress keeps to itself', () => {
  it.each([
    ['tools/call', 'read_note', 'allow', 'read'],
    ['tools/call', 'read_secret', 'deny', 'no-secret'],
    ['tools/call', 'delete_note', 'deny', undefined],
    ['tools/call', '=?base64?cmVhZF9ub3Rl?=', 'allow', 'read'],
    ['tools/call', '=?base64?cmVhZF9zZWNyZXQ=?=', 'deny', 'no-secret'],
    ['prompts/get', 'greet', 'allow', 'read'],
    ['resources/read', 'file:///public/a', 'allow', 'read'],
    ['resources/read', 'file:///private/a', 'deny', undefined],
    ['tools/list', undefined, 'allow', 'read'],
    ['server/discover', undefined, 'allow', undefined],
  ] as const)('is judged by its fields: %s %s', async (method, name, effect, rule) => {
    const judged = await ask(named(method, name))
    expect(judged).toMatchObject({ effect, method, era: 'modern' })
    if (rule !== undefined) expect(judged.rule).toBe(rule)
  })

  it.each<[string, Fields]>([
    ['without a version', MODERN.slice(1)],
    ['of an older version', [['MCP-Protocol-Version', '2025-11-25'], ...MODERN.slice(1)]],
    ['of no version there is', [['MCP-Protocol-Version', 'latest'], ...MODERN.slice(1)]],
    ['without a method', MODERN.filter(([name]) => name !== 'Mcp-Method')],
    ['that says what it touches in its body', named('completion/complete', 'greet')],
    ['that listens to what its body names', named('subscriptions/listen')],
    ['that subscribes to what its body names', named('resources/subscribe', 'file:///public/a')],
  ])('is refused %s', async (_what, fields) => {
    expect(await reasonOf(() => ask(fields))).toBe('call_unknown')
  })

  it.each<[string, Fields]>([
    ['no name', named('tools/call')],
    ['a broken name', named('tools/call', '=?base64?x')],
    ['two names', [...MODERN, ['mcp-name', 'read_secret']]],
  ])('is malformed with %s', async (_what, fields) => {
    expect(await reasonOf(() => ask(fields))).not.toBe('judged')
  })

  it('needs the scope that opens it', async () => {
    expect(await reasonOf(() => ask(MODERN, undefined, { ...ann, scopes: ['email'] }))).toBe('scope_missing')
  })
})

describe('a call to a server whose rules read arguments', () => {
  const careful = forwardedCalls({
    policy: {
      ...createPolicy(config),
      reads: () => ({ args: true, tool: false }),
      decide: ({ kind, args }) => {
        const small = kind !== 'tool' || Number(args?.['amount']) <= 1000
        return { effect: small ? 'allow' : 'deny', reason: 'test', rule: undefined }
      },
      argumentsRead: ({ args }) => args,
    },
    checkScopes,
    admit: () => () => undefined,
    minimumRevision: () => undefined,
    limits: config.server.limits,
  })
  const sent = (fields: Fields, text?: string) =>
    careful({
      principal: ann,
      server: 'notes',
      headers: Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value])),
      rawHeaders: fields.flat(),
      body: text === undefined ? undefined : Buffer.from(text),
      request: { address: '192.0.2.1', at: 0 },
    })
  const paying = (args: string) =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note","arguments":${args}}}`

  it('is judged by them', async () => {
    expect(await sent(JSON_TYPE, paying('{"amount":5}'))).toMatchObject({ effect: 'allow', args: { amount: 5 } })
    expect(await sent(JSON_TYPE, paying('{"amount":5000}'))).toMatchObject({ effect: 'deny', listed: true })
  })

  it('is refused where the ingress keeps the message, and what has no arguments is not', async () => {
    expect(await reasonOf(() => sent(MODERN))).toBe('call_unknown')
    expect(await reasonOf(() => sent(named('prompts/get', 'greet')))).toBe('call_unknown')
    expect(await sent(named('tools/list'))).toMatchObject({ effect: 'allow' })
    expect(await sent(named('resources/read', 'file:///public/a'))).toMatchObject({ effect: 'allow' })
  })

  it.each([
    ['{"amount":5,"amount":5000}', 'json_duplicate_key'],
    ['{"amount":5,"Amount":5000}', 'json_key_case'],
    ['{"amount":1e400}', 'json_number'],
  ])('is refused where two readers would read two messages: %s', async (args, reason) => {
    expect(await reasonOf(() => sent(JSON_TYPE, paying(args)))).toBe(reason)
    expect(await reasonOf(() => ask(JSON_TYPE, JSON.parse(paying('{"amount":5,"Amount":5000}'))))).toBe('judged')
  })
})

describe('a call that an ingress sends along', () => {
  it.each([
    ['read_note', 'allow'],
    ['read_secret', 'deny'],
    ['delete_note', 'deny'],
  ])('is judged by its message: %s', async (name, effect) => {
    expect(await ask(JSON_TYPE, call(name))).toMatchObject({ effect, target: { kind: 'tool', name }, era: 'legacy' })
    const modern = [...JSON_TYPE, ...named('tools/call', name)]
    expect(await ask(modern, call(name, { _meta: META }))).toMatchObject({ effect, era: 'modern' })
  })

  it('is refused when its fields say otherwise', async () => {
    expect(await reasonOf(() => ask([...JSON_TYPE, ...MODERN], call('read_secret', { _meta: META })))).toBe(
      'name_mismatch',
    )
    expect(await reasonOf(() => ask([...JSON_TYPE, ['Mcp-Method', 'ping']], call('read_note')))).toBe('method_mismatch')
  })

  it.each<[string, Fields, object]>([
    ['a batch', JSON_TYPE, [call('read_note'), call('read_secret')]],
    ['no JSON-RPC', JSON_TYPE, { name: 'read_note' }],
    ['another media type', [['Content-Type', 'text/plain']], call('read_note')],
    ['a compressed body', [...JSON_TYPE, ['Content-Encoding', 'gzip']], call('read_note')],
  ])('is refused as %s', async (_what, fields, message) => {
    expect(await reasonOf(() => ask(fields, message))).not.toBe('judged')
  })

  it('may answer the server', async () => {
    expect(await ask(JSON_TYPE, { jsonrpc: '2.0', id: 1, result: {} })).toMatchObject({
      effect: 'allow',
      method: 'response',
    })
  })
})
