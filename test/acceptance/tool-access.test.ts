// Acceptance case 22: tools by role. Allowed, denied with the words of the guide, filtered lists, prompts and revoked roles are in
// test/flows/kuadrant-authorization; here are the tricks: several messages in one, names spelled otherwise, names in the wrong place.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCOUNTING, type Kuadrant, startKuadrant } from '../support/kuadrant.ts'
import { callTool } from '../support/mcp.ts'

let kuadrant: Kuadrant
let token: string
beforeAll(async () => {
  kuadrant = await startKuadrant({ policy: { resourceAccess: {}, denials: 'explicit' } })
  token = kuadrant.token(ACCOUNTING)
})
afterAll(() => kuadrant?.close())

const aggregate = () => `${kuadrant.gateway.url}/mcp`
const message = (id: number, name: string) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: {} },
})

describe('a batch', () => {
  it.each<[string, unknown]>([
    ['an allowed call before a denied one', [message(1, 'test1_greet'), message(2, 'apikey_hello_world')]],
    ['a denied call alone', [message(1, 'apikey_hello_world')]],
    ['an allowed call alone', [message(1, 'test1_greet')]],
    ['a batch in a batch', [[message(1, 'test1_greet')]]],
    ['nothing', []],
  ])('is refused whole: %s', async (_what, body) => {
    const before = kuadrant.reached().length
    for (const url of [aggregate(), kuadrant.gateway.resource('server1')]) {
      const answer = await fetch(url, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify(body),
      })
      expect(answer.status).toBe(400)
    }
    expect(kuadrant.reached()).toHaveLength(before)
  })
})

describe('a name', () => {
  it('is the one that is listed', async () => {
    expect((await callTool(aggregate(), token, 'test1_greet')).body).toHaveProperty('result')
    expect(kuadrant.reached().at(-1)).toBe('server1 tools/call greet')
  })

  it.each([
    'greet',
    'test1_',
    'test1_test1_greet',
    'TEST1_greet',
    'test1_Greet',
    'test1__greet',
    'server1__greet',
    'server1/greet',
    'mcp-test/server1-route/greet',
    'test2_greet',
    'apikey_greet',
    'test1_../apikey_hello_world',
    'test1_greet ',
    ' test1_greet',
    'tool:test1_greet',
    '*',
    'test1_*',
    '',
  ])('spelled %j is none, and reaches nobody', async (name) => {
    const before = kuadrant.reached().length
    const { body } = await callTool(aggregate(), token, name)
    expect(body).not.toHaveProperty('result')
    expect(kuadrant.reached()).toHaveLength(before)
  })

  it('of another server with the same tools does not lead there', async () => {
    const before = kuadrant.reached().length
    expect((await callTool(aggregate(), token, 'test1_headers')).status).toBe(403)
    expect(kuadrant.reached()).toHaveLength(before)
    expect((await callTool(aggregate(), token, 'test2_headers')).body).toHaveProperty('result')
    expect(kuadrant.reached().at(-1)).toBe('server2 tools/call headers')
  })
})
