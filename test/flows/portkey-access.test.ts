// Portkey's access control: servers provisioned to workspaces and to people, tools switched off for the organisation or for one
// workspace, claims that a tool asks for, another service's word, and rates. Tokens as Keycloak writes them; a workspace is a team.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { signedBy, startIssuer, type TestIssuer } from '../support/issuer.ts'
import { callTool, listTools } from '../support/mcp.ts'

const DENIED = { error: 'Forbidden', message: 'MCP Access denied: Insufficient permissions.' }
const TOOL_DENIED = { error: 'Forbidden', message: 'MCP Tool Access denied. Insufficient permissions for this tool.' }

const DATA = { team: 'data', groups: ['analysts'] }
const SALES = { team: 'sales', groups: [] }

let github: Canary
let billing: Canary
let issuer: TestIssuer
let webhook: Server
let gateway: TestGateway

/** What the other service was asked, and what it says: `undefined` is nothing at all. */
const asked: Record<string, unknown>[] = []
let says: boolean | undefined

beforeAll(async () => {
  const tools = ['search_code', 'create_issue', 'delete_repo', 'merge_pull']
  github = await startCanary({ tools })
  billing = await startCanary({ tools: ['refund', 'list_invoices'] })
  issuer = await startIssuer({ path: '/realms/corp' })
  webhook = createServer(async (req, res) => {
    asked.push(JSON.parse(Buffer.concat(await req.toArray()).toString()) as Record<string, unknown>)
    if (says !== undefined) res.writeHead(200, { 'content-type': 'application/json' }).end(`{"decision":${says}}`)
  })
  await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve))
  gateway = await startGateway({
    servers: [
      { id: 'github', url: github.url },
      { id: 'billing', url: billing.url },
    ],
    auth: { issuers: [{ issuer: issuer.issuer, type: 'keycloak', audience: 'gate', mapping: { teams: 'team' } }] },
    policy: {
      denials: 'explicit',
      decisionPoints: {
        webhook: {
          type: 'authzen',
          url: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/access/v1/evaluation`,
          timeout: '2s',
          cache: 0,
        },
      },
      rules: [
        // Servers to workspaces, and within one to some of its people.
        { id: 'github-for-data', allow: ['github/*'], to: ['team:data'] },
        { id: 'github-for-sales', allow: ['github/search_*'], to: ['team:sales'] },
        { id: 'invoices', allow: ['billing/list_*'], to: ['team:data'], when: "'analysts' in principal.groups" },
        // tool_authorization: { refund: { required_claims: { clearance: high } } }
        {
          id: 'refunds',
          allow: ['billing/refund'],
          to: ['team:data'],
          when: "principal.claims.clearance == 'high'",
          consult: 'webhook',
        },
        // Tools off: for the organisation, and for one workspace.
        { id: 'off-everywhere', deny: ['github/delete_repo'], to: ['*'] },
        { id: 'off-for-data', deny: ['github/merge_pull'], to: ['team:data'] },
      ],
    },
    limits: [{ id: 'searches', to: ['team:sales'], match: 'github/search_code', rate: '2/min' }],
  })
})
afterAll(async () => {
  await gateway?.close()
  webhook?.close()
  webhook?.closeAllConnections()
  await issuer?.close()
  await Promise.all([github?.close(), billing?.close()])
})

function tokenOf(person: string, claims: object): string {
  const seconds = Math.floor(gateway.clock.now() / 1000)
  return signedBy(
    issuer.key,
    { typ: 'JWT' },
    {
      iss: issuer.issuer,
      aud: ['gate', 'account'],
      sub: person,
      typ: 'Bearer',
      azp: 'workbench',
      iat: seconds - 5,
      exp: seconds + 1800,
      preferred_username: person,
      ...claims,
    },
  )
}
const at = (server: string) => gateway.resource(server)
const toolsOf = async (server: string, token: string) => {
  const { status, body } = await listTools(at(server), token)
  const result = body['result'] as { tools: { name: string }[] } | undefined
  return result?.tools.map(({ name }) => name) ?? [status, body]
}
const arrived = () => [...github.requests, ...billing.requests].filter(({ body }) => body.includes('tools/call')).length

describe('servers are provisioned', () => {
  it('to workspaces: others are 403, a server that nobody has is 404, nobody is 401', async () => {
    expect(await toolsOf('github', tokenOf('dan', SALES))).toEqual(['search_code'])
    const refused = await callTool(at('billing'), tokenOf('dan', SALES), 'list_invoices')
    expect([refused.status, refused.body]).toEqual([403, DENIED])
    expect((await callTool(at('nothing'), tokenOf('dan', SALES), 'x')).status).toBe(404)
    expect((await callTool(at('github'), undefined, 'search_code')).status).toBe(401)
    expect((await callTool(at('github'), tokenOf('eve', {}), 'search_code')).status).toBe(403)
  })

  it('and within a workspace to some of its people', async () => {
    expect(await toolsOf('billing', tokenOf('ann', DATA))).toEqual(['list_invoices'])
    const colleague = tokenOf('cem', { ...DATA, groups: [] })
    expect((await callTool(at('billing'), colleague, 'list_invoices')).status).toBe(403)
    expect((await callTool(at('billing'), tokenOf('ann', DATA), 'list_invoices')).status).toBe(200)
  })
})

describe('tools are switched at two levels', () => {
  it('off is not listed, and an error when called', async () => {
    const token = tokenOf('ann', DATA)
    expect(await toolsOf('github', token)).toEqual(['search_code', 'create_issue'])
    const before = arrived()
    for (const tool of ['delete_repo', 'merge_pull']) {
      const { status, body } = await callTool(at('github'), token, tool)
      expect([tool, status, body]).toEqual([tool, 403, TOOL_DENIED])
    }
    expect(arrived()).toBe(before)
    expect((await callTool(at('github'), token, 'create_issue')).status).toBe(200)
  })

  it('what one workspace switched off is its own affair; what the organisation did is everybody’s', async () => {
    const both = tokenOf('bob', { team: ['data', 'sales'], groups: [] })
    expect(await toolsOf('github', both)).toEqual(['search_code', 'create_issue'])
    const events = await gateway.audit((all) =>
      ['off-everywhere', 'off-for-data'].every((id) => all.some((event) => event.kind === 'call' && event.rule === id)),
    )
    const why = (name: string) => events.find((event) => event.kind === 'call' && event.name === name)
    expect(why('delete_repo')).toMatchObject({ reason: 'denied_by_rule', rule: 'off-everywhere' })
    expect(why('merge_pull')).toMatchObject({ reason: 'denied_by_rule', rule: 'off-for-data' })
  })
})

describe('tool_authorization and authorization_webhook', () => {
  const cleared = () => tokenOf('ann', { ...DATA, clearance: 'high' })

  it('a claim that is missing, or says something else, hides the tool, and nobody is asked', async () => {
    asked.length = 0
    for (const claims of [DATA, { ...DATA, clearance: 'low' }, { ...DATA, clearance: ['high'] }]) {
      expect(await toolsOf('billing', tokenOf('ann', claims))).toEqual(['list_invoices'])
      expect((await callTool(at('billing'), tokenOf('ann', claims), 'refund')).body).toEqual(TOOL_DENIED)
    }
    expect(asked).toEqual([])
  })

  it('with the claim the other service decides; silence is a no', async () => {
    expect(await toolsOf('billing', cleared())).toEqual(['refund', 'list_invoices'])
    for (const [answer, status] of [
      [true, 200],
      [false, 403],
      [undefined, 403],
    ] as const) {
      says = answer
      const before = arrived()
      const called = await callTool(at('billing'), cleared(), 'refund', { amount: 5 })
      expect([answer, called.status, arrived() - before]).toEqual([answer, status, status === 200 ? 1 : 0])
    }
    expect(JSON.stringify(asked.at(-1))).toContain('refund')
    expect(JSON.stringify(asked.at(-1))).not.toContain(cleared())
  })
})

describe('rate policies', () => {
  it('are 429 with the time to wait, for whom they are written', async () => {
    const call = async (token: string) => (await callTool(at('github'), token, 'search_code')).status
    expect([await call(tokenOf('gus', SALES)), await call(tokenOf('gus', SALES))]).toEqual([200, 200])
    const refused = await callTool(at('github'), tokenOf('gus', SALES), 'search_code')
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await call(tokenOf('ann', DATA))).toBe(200)
  })
})

it('who leaves a workspace has lost it with the next token', async () => {
  expect((await callTool(at('github'), tokenOf('ann', DATA), 'create_issue')).status).toBe(200)
  expect((await callTool(at('github'), tokenOf('ann', { groups: ['analysts'] }), 'create_issue')).status).toBe(403)
})
