// A head that says one thing and a body that says another: policy goes by the body, and what differs is refused before anyone
// behind the gate can go by the head. Catalogue rows E6 and E7; MCP 2026-07-28, Transports: header validation.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  attackTable,
  type Bend,
  expectNoSecret,
  expectRecorded,
  expectRefusal,
  expectServed,
  type Range,
  type Refusal,
  type Shot,
  shoot,
  startRange,
  toolCall,
} from '../support/range.ts'

let range: Range

beforeAll(async () => {
  range = await startRange()
})
afterAll(() => range?.close())

interface Row extends Refusal {
  readonly id: string
  readonly shot: Shot
}

const mismatch = (id: string, reason: string, shot: Shot): Row => ({ id, shot, status: 400, code: -32020, reason })
const bent = (id: string, reason: string, bend: Bend): Row => mismatch(id, reason, { bend })
const encoded = (text: string | Buffer) => `=?base64?${Buffer.from(text).toString('base64')}?=`

const SAFE = encoded('read_note')
const NAMES: readonly Row[] = [
  mismatch('a safe name over the hidden tool', 'name_mismatch', { body: toolCall('modern', 'delete_note') }),
  mismatch('a safe name over another allowed tool', 'name_mismatch', { body: toolCall('modern', 'write_note') }),
  bent('the hidden name over a safe tool', 'name_mismatch', { 'Mcp-Name': 'delete_note' }),
  bent('another case', 'name_mismatch', { 'Mcp-Name': 'Read_Note' }),
  bent('with the server in front', 'name_mismatch', { 'Mcp-Name': 'canary/read_note' }),
  bent('percent-encoded', 'name_mismatch', { 'Mcp-Name': 'read%5Fnote' }),
  bent('quoted', 'name_mismatch', { 'Mcp-Name': '"read_note"' }),
  bent('two in one field', 'name_mismatch', { 'Mcp-Name': 'read_note, delete_note' }),
  bent('missing', 'name_missing', { 'Mcp-Name': undefined }),
  bent('empty', 'name_mismatch', { 'Mcp-Name': '' }),
  bent('twice, the same', 'header_twice', { 'Mcp-Name': ['read_note', 'read_note'] }),
  bent('twice, another last', 'header_twice', { 'Mcp-Name': ['read_note', 'delete_note'] }),
  bent('twice, another first', 'header_twice', { 'Mcp-Name': ['delete_note', 'read_note'] }),
  bent('twice, in two cases', 'header_twice', { 'mcp-name': 'delete_note' }),
  bent('with a Latin-1 letter', 'header_illegal', { 'Mcp-Name': 'read_not\xe9' }),
  bent('with a C1 control', 'header_illegal', { 'Mcp-Name': '\x85read_note\xa0' }),
]

const ENCODED: readonly Row[] = [
  bent('the hidden name, encoded', 'name_mismatch', { 'Mcp-Name': encoded('delete_note') }),
  bent('encoded twice', 'name_mismatch', { 'Mcp-Name': encoded(SAFE) }),
  bent('nothing, encoded', 'name_mismatch', { 'Mcp-Name': encoded('') }),
  bent('the mark in capitals', 'name_encoding', { 'Mcp-Name': SAFE.replace('base64', 'BASE64') }),
  bent('the mark in mixed case', 'name_encoding', { 'Mcp-Name': SAFE.replace('base64', 'Base64') }),
  bent('without its end', 'name_encoding', { 'Mcp-Name': SAFE.slice(0, -2) }),
  bent('with half an end', 'name_encoding', { 'Mcp-Name': SAFE.slice(0, -1) }),
  bent('the mark alone', 'name_encoding', { 'Mcp-Name': '=?base64?' }),
  bent('mark and end sharing a character', 'name_encoding', { 'Mcp-Name': '=?base64?=' }),
  bent('with a space inside', 'name_encoding', { 'Mcp-Name': SAFE.replace('cmVh', 'cm Vh') }),
  bent('with the URL alphabet', 'name_encoding', { 'Mcp-Name': encoded('\u{3ffff}').replace(/[+/]/g, '-') }),
  bent('with spare padding', 'name_encoding', { 'Mcp-Name': `${SAFE.slice(0, -2)}==?=` }),
  bent('without its padding', 'name_encoding', { 'Mcp-Name': encoded('read_notes').replace('==', '') }),
  bent('with spare bits', 'name_encoding', { 'Mcp-Name': '=?base64?cmVhZF9ub3Rlcx==?=' }),
  bent('broken UTF-8', 'name_encoding', { 'Mcp-Name': encoded(Buffer.of(0xc0, 0xaf)) }),
  bent('a name with NUL', 'name_mismatch', { 'Mcp-Name': encoded('read_note\0') }),
  bent('with a byte order mark', 'name_mismatch', { 'Mcp-Name': encoded('\ufeffread_note') }),
]

const LISTING = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{'
const meta = toolCall('modern').slice(toolCall('modern').indexOf('"_meta"'))
const METHODS: readonly Row[] = [
  bent('an open method over a call', 'method_mismatch', { 'Mcp-Method': 'tools/list' }),
  bent('ping over a call', 'method_mismatch', { 'Mcp-Method': 'ping' }),
  bent('another case', 'method_mismatch', { 'Mcp-Method': 'Tools/Call' }),
  bent('a slash too many', 'method_mismatch', { 'Mcp-Method': 'tools//call' }),
  bent('missing', 'method_missing', { 'Mcp-Method': undefined }),
  bent('empty', 'method_mismatch', { 'Mcp-Method': '' }),
  bent('twice', 'header_twice', { 'Mcp-Method': ['tools/call', 'tools/call'] }),
  bent('twice, another last', 'header_twice', { 'Mcp-Method': ['tools/call', 'tools/list'] }),
  bent('encoded', 'method_mismatch', { 'Mcp-Method': encoded('tools/call') }),
  mismatch('a call over a list', 'method_mismatch', { body: LISTING + meta }),
  mismatch('a name over a list', 'name_mismatch', { body: LISTING + meta, bend: { 'Mcp-Method': 'tools/list' } }),
]

const version = (inBody: string) => toolCall('modern').replace('2026-07-28', inBody)
const VERSIONS: readonly Row[] = [
  bent('missing', 'version_missing', { 'MCP-Protocol-Version': undefined }),
  bent('an old one over a new body', 'version_mismatch', { 'MCP-Protocol-Version': '2025-11-25' }),
  bent('a later one over a new body', 'version_mismatch', { 'MCP-Protocol-Version': '2026-08-01' }),
  bent('no date at all', 'version_mismatch', { 'MCP-Protocol-Version': '1' }),
  bent('twice', 'header_twice', { 'MCP-Protocol-Version': ['2026-07-28', '2026-07-28'] }),
  bent('twice, an old one last', 'header_twice', { 'MCP-Protocol-Version': ['2026-07-28', '2025-11-25'] }),
  mismatch('a new one over an old body', 'version_mismatch', { body: version('2025-11-25') }),
  mismatch('a new one over a handshake', 'version_mismatch', {
    body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}',
    bend: { 'Mcp-Method': 'initialize', 'Mcp-Name': undefined },
  }),
  {
    ...mismatch('a new one over a body without _meta', 'bad_meta', { body: toolCall('legacy') }),
    code: -32602,
  },
  {
    ...mismatch('a number in the body', 'bad_meta', { body: toolCall('modern').replace('"2026-07-28"', '20260728') }),
    code: -32602,
  },
]

const old = (bend: Bend, name = 'read_note'): Shot => ({ wire: 'legacy', body: toolCall('legacy', name), bend })
const OLD_WIRE: readonly Row[] = [
  mismatch('a safe name over the hidden tool', 'name_mismatch', old({ 'Mcp-Name': 'read_note' }, 'delete_note')),
  mismatch('the hidden name over a safe tool', 'name_mismatch', old({ 'Mcp-Name': 'delete_note' })),
  mismatch('an open method over a call', 'method_mismatch', old({ 'Mcp-Method': 'tools/list' })),
  mismatch('a name, twice', 'header_twice', old({ 'Mcp-Name': ['read_note', 'delete_note'] })),
  mismatch('a name, encoded otherwise', 'name_encoding', old({ 'Mcp-Name': SAFE.toUpperCase() })),
  mismatch('a parameter, twice', 'header_twice', old({ 'Mcp-Param-Tenant': ['a', 'b'] })),
]

const refuses = async ({ shot, ...refusal }: Row): Promise<void> => {
  await expectRefusal(range, shot, refusal)
  await expectServed(range, { wire: shot.wire ?? 'modern' })
}

describe('E6', () => {
  attackTable('Mcp-Name against the body', NAMES, refuses)
  attackTable('Mcp-Name in base64', ENCODED, refuses)
  attackTable('Mcp-Method against the body', METHODS, refuses)
  attackTable('MCP-Protocol-Version against the body', VERSIONS, refuses)
  attackTable('the same fields on the old wire', OLD_WIRE, refuses)

  it('takes what says the same in other letters', async () => {
    await expectServed(range, { bend: { 'Mcp-Name': SAFE } })
    await expectServed(range, { bend: { 'Mcp-Name': undefined, 'MCP-NAME': 'read_note' } })
    await expectServed(range, { bend: { 'Mcp-Name': ' read_note\t' } })
    await expectServed(range, old({ 'Mcp-Name': 'read_note', 'Mcp-Method': 'tools/call' }))
    const spelled = '"r\\u0065ad_note"'
    await expectServed(range, { body: toolCall('modern').replace('"read_note"', spelled) })
  })

  it.each(['modern', 'legacy'] as const)('decides by the body alone on the %s wire', async (wire) => {
    const bend = wire === 'modern' ? { 'Mcp-Name': 'delete_note' } : {}
    const refusal = { status: 200, code: -32602, reason: 'denied_by_rule' }
    await expectRefusal(range, { wire, bend, body: toolCall(wire, 'delete_note') }, refusal)
    await expectRefusal(range, { wire, bend, body: toolCall(wire).replace('read_note', 'd\\u0065lete_note') }, refusal)
    const answer = await shoot(range, { wire, bend, body: toolCall(wire, 'delete_note') })
    expect(await expectRecorded(range, answer, 'denied_by_rule')).toMatchObject({
      name: 'delete_note',
      rule: 'no-delete',
    })
    await expectServed(range, { wire })
  })

  const ALIASES = [
    'Mcp_Name',
    'Mcp.Name',
    'McpName',
    'Mcp_Method',
    'MCP_Protocol_Version',
    'Mcp_Session_Id',
    'X-Mcp-Name',
  ]
  attackTable(
    'an alias beside the honest field',
    ALIASES.map((id) => ({ id })),
    async ({ id: alias }) => {
      await expectServed(range, { bend: { [alias]: 'delete_note' } })
      const { rawHeaders = [] } = range.canary.requests.at(-1) ?? {}
      expect(rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())).toContain('mcp-name')
      expect(rawHeaders).not.toContain('delete_note')
      expectNoSecret(range)
    },
  )
})

const PARAMETERS: readonly Row[] = [
  bent('twice, the same', 'header_twice', { 'Mcp-Param-Tenant': ['a', 'a'] }),
  bent('twice, different', 'header_twice', { 'Mcp-Param-Tenant': ['a', 'b'] }),
  bent('twice, in two cases', 'header_twice', { 'Mcp-Param-Tenant': 'a', 'mcp-param-TENANT': 'b' }),
  bent('with a Latin-1 letter', 'header_illegal', { 'Mcp-Param-Tenant': 'a\xff' }),
]

describe('E7', () => {
  attackTable('an Mcp-Param-* that two readers read differently', PARAMETERS, refuses)

  it('forwards one it does not know, unchanged, and trusts it with nothing', async () => {
    const bend = { 'Mcp-Param-Name': 'delete_note', 'Mcp-Param-X': encoded('é'), Mcp_Param_Tenant: 'evil' }
    const answer = await shoot(range, { bend })
    expect(answer.status).toBe(200)
    // The gate asks the server for its tools: it might know the parameter.
    const { rawHeaders = [] } = range.canary.requests.findLast(({ body }) => body.includes('tools/call')) ?? {}
    const sent = Object.fromEntries(
      rawHeaders.flatMap((name, at) => (at % 2 ? [] : [[name.toLowerCase(), rawHeaders[at + 1]]])),
    )
    expect(sent).toMatchObject({
      'mcp-param-name': 'delete_note',
      'mcp-param-x': encoded('é'),
      'mcp-name': 'read_note',
    })
    expect(sent).not.toHaveProperty('mcp_param_tenant')
    const id = answer.header('x-request-id')
    const events = await range.gateway.audit((all) => all.some((event) => event.id === id))
    expect(events.find((event) => event.id === id)).toMatchObject({
      decision: 'allow',
      rule: 'notes',
      name: 'read_note',
    })
    const hidden = { 'Mcp-Name': 'delete_note', 'Mcp-Param-Name': 'read_note' }
    const refusal = { status: 200, code: -32602, reason: 'denied_by_rule' }
    await expectRefusal(range, { bend: hidden, body: toolCall('modern', 'delete_note') }, refusal)
  })

  // The schema that names the parameter is the server's. Where it tells nobody it must see both sides as they were sent, and be heard when
  // it refuses; where it does, what differs goes no further.
  it.each([
    ['lets the server refuse what differs, where it alone knows the parameter', [], undefined],
    ['refuses what differs itself, where the server has told its tools', [TENANTS], 'param_mismatch'],
  ])('%s', async (_what, tools, reason) => {
    const strict = await startStrict(tools)
    const tenants = await startRange({
      servers: [{ id: 'canary', url: strict.url }],
    })
    const call = (tenant: string) => ({
      bend: { 'Mcp-Param-Tenant': tenant },
      body: toolCall('modern', 'read_note', '{"tenant":"a"}'),
    })
    const [other, same] = [await shoot(tenants, call('b')), await shoot(tenants, call('a'))]
    expect([other.status, JSON.parse(other.body.toString())]).toMatchObject([400, { error: { code: -32020 } }])
    expect([same.status, JSON.parse(same.body.toString())]).toMatchObject([200, { result: { tenant: 'a' } }])
    expect([strict.served, strict.refused]).toEqual([['a'], reason === undefined ? ['a'] : []])
    if (reason !== undefined) await expectRecorded(tenants, other, reason)
    await tenants.close()
    strict.close()
  })
})

const TENANTS = {
  name: 'read_note',
  inputSchema: { type: 'object', properties: { tenant: { type: 'string', 'x-mcp-header': 'Tenant' } } },
}

/** A server whose tool has a parameter that its header repeats, as MCP 2026-07-28 wants it checked. */
async function startStrict(tools: readonly object[]) {
  const served: string[] = []
  const refused: string[] = []
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString()) as {
      id: number
      method: string
      params: { arguments: { tenant: string } }
    }
    if (method !== 'tools/call') {
      const offer = { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
      const told = method === 'tools/list' ? { tools } : offer
      res.writeHead(200, { 'Content-Type': 'application/json' })
      res.end(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...told } }))
      return
    }
    const { tenant } = params.arguments
    const same = req.headers['mcp-param-tenant'] === tenant
    const heard = same ? served : refused
    heard.push(tenant)
    const answer = same ? { result: { tenant } } : { error: { code: -32020, message: 'Header mismatch' } }
    res.writeHead(same ? 200 : 400, { 'Content-Type': 'application/json' })
    res.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    served,
    refused,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
