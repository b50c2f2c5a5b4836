// Kuadrant's authorization guide with tokens as Keycloak writes them: a server is a client of the realm, its roles are tools and prompts.
// `policy.resourceAccess` reads them, `policy.denials: explicit` words the refusals as there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCOUNTING, type Kuadrant, nameOf, startKuadrant } from '../support/kuadrant.ts'
import { callTool, request } from '../support/mcp.ts'

const TOOL_DENIED = { error: 'Forbidden', message: 'MCP Tool Access denied. Insufficient permissions for this tool.' }
const DENIED = { error: 'Forbidden', message: 'MCP Access denied: Insufficient permissions.' }

const namesOf = (body: Record<string, unknown>, kind: 'tools' | 'prompts'): string[] => {
  const { [kind]: listed } = body['result'] as Record<string, { name: string }[]>
  return (listed ?? []).map(({ name }) => name).sort()
}

let kuadrant: Kuadrant
const aggregate = () => `${kuadrant.gateway.url}/mcp`
const server = (id: string) => kuadrant.gateway.resource(id)
const listed = async (url: string, token: string, kind: 'tools' | 'prompts' = 'tools') =>
  namesOf((await request(url, token, `${kind}/list`, {})).body, kind)
const getPrompt = (url: string, token: string, name: string) =>
  request(url, token, 'prompts/get', { name }, { 'mcp-name': name })

describe('roles of resource_access, with denials as in the guide', () => {
  let accounting: string
  beforeAll(async () => {
    kuadrant = await startKuadrant({
      policy: {
        resourceAccess: {},
        denials: 'explicit',
        rules: [{ id: 'no-sums', deny: ['server3/sum'], to: ['*'] }],
      },
    })
    accounting = kuadrant.token(ACCOUNTING)
  })
  afterAll(() => kuadrant?.close())

  it('tools/list at /mcp shows what the roles allow', async () => {
    expect(await listed(aggregate(), accounting)).toEqual(['test1_greet', 'test2_headers', 'test3_add'])
    expect(await listed(aggregate(), accounting, 'prompts')).toEqual(['test1_greet'])
  })

  it.each(['test1_greet', 'test2_headers', 'test3_add'])('%s is allowed', async (tool) => {
    const { status, body } = await callTool(aggregate(), accounting, tool, { name: 'Ann' })
    expect([status, body]).toEqual([200, expect.objectContaining({ result: expect.anything() })])
    const [prefix = '', name = ''] = tool.split('_')
    expect(kuadrant.reached()).toContain(`${prefix.replace('test', 'server')} tools/call ${name}`)
  })

  it.each(['apikey_hello_world', 'test1_headers', 'test2_hello_world'])(
    '%s is 403 with the words of the guide, and reaches nobody',
    async (tool) => {
      const before = kuadrant.reached().length
      const { status, body } = await callTool(aggregate(), accounting, tool)
      expect([status, body]).toEqual([403, TOOL_DENIED])
      expect(kuadrant.reached()).toHaveLength(before)
    },
  )

  it('the same at the address of each server', async () => {
    expect(await listed(server('server1'), accounting)).toEqual(['greet'])
    expect(await listed(server('server1'), accounting, 'prompts')).toEqual(['greet'])
    expect((await callTool(server('server1'), accounting, 'greet')).status).toBe(200)
    expect((await callTool(server('server1'), accounting, 'time')).body).toEqual(TOOL_DENIED)
    expect((await callTool(server('apikey'), accounting, 'hello_world')).status).toBe(403)
  })

  it('a prompt wants a role of its own', async () => {
    expect((await getPrompt(server('server1'), accounting, 'greet')).status).toBe(200)
    const denied = await getPrompt(server('server2'), accounting, 'summary')
    expect([denied.status, denied.body]).toEqual([403, DENIED])
  })

  it('bare tool names are roles as well: how it was at first', async () => {
    const bare = kuadrant.token({ [nameOf('server3')]: { roles: ['add', 'sum'] } })
    // `sum` is allowed by the claim and denied by a rule: the deny wins.
    expect(await listed(server('server3'), bare)).toEqual(['add'])
    expect((await callTool(server('server3'), bare, 'add')).status).toBe(200)
    expect((await callTool(server('server3'), bare, 'sum')).body).toEqual(TOOL_DENIED)
  })

  it('but not of prompts', async () => {
    const bare = kuadrant.token({ [nameOf('server2')]: { roles: ['summary'] } })
    expect((await getPrompt(server('server2'), bare, 'summary')).status).toBe(403)
    const named = kuadrant.token({ [nameOf('server2')]: { roles: ['prompt:summary'] } })
    expect((await getPrompt(server('server2'), named, 'summary')).status).toBe(200)
  })

  it.each<[string, unknown]>([
    ['no claim', undefined],
    ['no server', {}],
    ['another server', { 'mcp-test/other': { roles: ['tool:greet'] } }],
    ['the server’s id in place of its name', { server1: { roles: ['tool:greet'] } }],
    ['a claim that is a list', [{ roles: ['tool:greet'] }]],
    ['a claim that is a text', 'tool:greet'],
    ['roles that are no list', { [nameOf('server1')]: { roles: 'tool:greet' } }],
    ['roles in another case', { [nameOf('server1')]: { roles: ['Tool:Greet', 'GREET'] } }],
    ['a wildcard', { [nameOf('server1')]: { roles: ['*', 'tool:*', 'greet*'] } }],
    ['the role of a prompt', { [nameOf('server1')]: { roles: ['prompt:greet'] } }],
    ['the name with its prefix', { [nameOf('server1')]: { roles: ['tool:test1_greet', 'test1_greet'] } }],
  ])('%s opens nothing', async (_what, access) => {
    const token = kuadrant.token(access)
    const { status, body } = await callTool(aggregate(), token, 'test1_greet')
    expect([status, body]).toEqual([403, TOOL_DENIED])
    expect((await callTool(server('server1'), token, 'greet')).status).toBe(403)
  })

  it('the name in the header decides nothing: it must be that of the body', async () => {
    const before = kuadrant.reached().length
    const mismatch = await callTool(server('server1'), accounting, 'time', {}, { 'mcp-name': 'greet' })
    expect(mismatch.status).toBe(400)
    for (const header of ['x-mcp-toolname', 'x-mcp-servername', 'x-mcp-verified-sub']) {
      const answer = await callTool(server('server1'), accounting, 'time', {}, { [header]: 'greet' })
      expect(answer.body).toEqual(TOOL_DENIED)
    }
    expect(kuadrant.reached()).toHaveLength(before)
  })

  it('a role that was taken away is gone with the next token', async () => {
    const before = kuadrant.token({ ...ACCOUNTING, [nameOf('server1')]: { roles: ['tool:greet', 'tool:time'] } })
    expect((await callTool(server('server1'), before, 'time')).status).toBe(200)
    const after = kuadrant.token(ACCOUNTING, { claims: { jti: 'later' } })
    expect((await callTool(server('server1'), after, 'time')).body).toEqual(TOOL_DENIED)
    expect((await callTool(server('server1'), after, 'greet')).status).toBe(200)
    // What was given out counts until it ends, and no longer: that is for the realm to keep short.
    expect((await callTool(server('server1'), before, 'time')).status).toBe(200)
    kuadrant.gateway.clock.advance('40m')
    expect((await callTool(server('server1'), before, 'time')).status).toBe(401)
  })

  it('nobody is 401 with the way to the document', async () => {
    const { status, headers, body } = await callTool(aggregate(), undefined, 'test1_greet')
    expect([status, body]).toEqual([401, { error: 'Unauthorized', message: 'Authentication required.' }])
    expect(headers.get('www-authenticate')).toContain('resource_metadata="')
  })

  it('the record names the rule that allowed, and why nothing did', async () => {
    const token = kuadrant.token(ACCOUNTING, { claims: { sub: 'of-the-record' } })
    await callTool(server('server1'), token, 'greet')
    await callTool(server('server1'), token, 'time')
    const isTold = ({ subject = '' }: { subject?: string }) => subject.endsWith('|of-the-record')
    const events = await kuadrant.gateway.audit((all) => all.filter(isTold).length >= 2)
    const told = events.filter(isTold)
    expect(told).toEqual([
      expect.objectContaining({ name: 'greet', decision: 'allow', rule: 'resource_access' }),
      expect.objectContaining({ name: 'time', decision: 'deny', reason: 'no_rule_allows' }),
    ])
  })
})

describe('without explicit denials', () => {
  beforeAll(async () => {
    kuadrant = await startKuadrant({ policy: { resourceAccess: {} } })
  })
  afterAll(() => kuadrant?.close())

  it('what no role opens is as if it were not there', async () => {
    const token = kuadrant.token(ACCOUNTING)
    expect(await listed(server('server1'), token)).toEqual(['greet'])
    const hidden = await callTool(server('server1'), token, 'time')
    const unknown = await callTool(server('server1'), token, 'nothing_of_the_kind')
    expect(hidden.status).toBe(unknown.status)
    expect(JSON.stringify(hidden.body).replaceAll('time', 'X')).toBe(
      JSON.stringify(unknown.body).replaceAll('nothing_of_the_kind', 'X'),
    )
    expect(kuadrant.reached()).toEqual([])
  })
})

describe('virtual servers', () => {
  const ROLES = { ...ACCOUNTING, 'mcp-test/accounting': { roles: ['tool:test1_greet', 'tool:test3_sum'] } }
  const at = (name: string) => ({ 'X-Mcp-Virtualserver': name })
  const listedAt = async (name: string, token: string) => {
    const { body } = await request(aggregate(), token, 'tools/list', {}, at(name))
    return 'result' in body ? namesOf(body, 'tools') : []
  }
  const called = async (name: string, token: string, tool: string) =>
    (await callTool(aggregate(), token, tool, {}, at(name))).body

  beforeAll(async () => {
    kuadrant = await startKuadrant({
      policy: { resourceAccess: {}, rules: [{ id: 'no-sums', deny: ['server3/sum'], to: ['*'] }] },
      views: [
        {
          id: 'accounting',
          name: 'mcp-test/accounting',
          tools: [
            { from: 'server1/greet', name: 'test1_greet' },
            { from: 'server2/headers', name: 'test2_headers' },
            { from: 'server3/sum', name: 'test3_sum' },
          ],
        },
      ],
    })
  })
  afterAll(() => kuadrant?.close())

  it('are what X-Mcp-Virtualserver names at /mcp: their tools, by the roles under their own name, less what is denied', async () => {
    const token = kuadrant.token(ROLES)
    expect(await listedAt('mcp-test/accounting', token)).toEqual(['test1_greet'])
    expect(await called('mcp-test/accounting', token, 'test1_greet')).toHaveProperty('result')
    expect(kuadrant.reached()).toEqual(['server1 tools/call greet'])
    expect(await listed(aggregate(), token)).toEqual(['test1_greet', 'test2_headers', 'test3_add'])
  })

  it('guard calls as well: what the view does not show cannot be called through it', async () => {
    const [token, before] = [kuadrant.token(ROLES), kuadrant.reached().length]
    for (const tool of ['test3_add', 'test2_headers', 'test3_sum', 'test1_time'])
      expect([tool, await called('mcp-test/accounting', token, tool)]).toEqual([
        tool,
        expect.objectContaining({ error: expect.objectContaining({ code: -32602 }) }),
      ])
    expect(kuadrant.reached()).toHaveLength(before)
    expect((await callTool(aggregate(), token, 'test3_add')).body).toHaveProperty('result')
  })

  it.each(['mcp-test/nothing', '', 'accounting, mcp-test/accounting', '*'])(
    'a name that is none (%j) shows nothing, never everything',
    async (name) => {
      const token = kuadrant.token(ROLES)
      expect(await listedAt(name, token)).toEqual([])
      expect(await called(name, token, 'test1_greet')).toHaveProperty('error')
    },
  )

  it('nor does one that is not for the caller', async () => {
    expect(await listedAt('mcp-test/accounting', kuadrant.token(ACCOUNTING))).toEqual([])
  })
})
