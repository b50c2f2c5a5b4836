// A guard that looks for injected prompts, hung onto a rule (`consult`), is one guard among others (E42): whatever it says, is silent about or
// chokes on, rules hold, and where it is asked and does not answer nothing passes.
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools } from '../support/mcp.ts'

let guard: Server
let answer: (res: ServerResponse) => void
let canary: Canary
let gateway: TestGateway
let token: string

const says = (status: number, body: string) => (res: ServerResponse) =>
  void res.writeHead(status, { 'Content-Type': 'application/json' }).end(body)
const YES = says(200, '{"result":true}')

beforeAll(async () => {
  guard = createServer((req, res) => {
    req.resume().once('end', () => answer(res))
  })
  await new Promise<void>((resolve) => guard.listen(0, '127.0.0.1', resolve))
  canary = await startCanary()
  gateway = await startGateway({
    servers: [{ id: 'canary', url: canary.url }],
    policy: {
      decisionPoints: {
        injection: {
          type: 'opa',
          url: `http://127.0.0.1:${(guard.address() as AddressInfo).port}/v1/data/guard/clean`,
          timeout: '2s',
          cache: '0s',
        },
      },
      rules: [
        { id: 'clean-only', allow: ['canary/read_note', 'canary/write_note'], to: ['*'], consult: 'injection' },
        { id: 'no-writing', deny: ['canary/write_note'], to: ['*'], unless: '"writer" in principal.groups' },
      ],
    },
  })
  token = await gateway.tokenFor('canary')
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
  guard?.closeAllConnections()
  guard?.close()
})
beforeEach(() => {
  answer = YES
})

const url = () => gateway.resource('canary')
const reached = () => canary.requests.filter(({ body }) => body.includes('"tools/call"')).length
const call = async (name: string, text = 'hello') => (await callTool(url(), token, name, { text })).body

describe('a guard', () => {
  it('that says yes opens what the rules leave open, and nothing else', async () => {
    const before = reached()
    expect(await call('read_note', 'yes')).toHaveProperty('result')
    expect(reached()).toBe(before + 1)
    for (const name of ['write_note', 'delete_note']) expect(await call(name)).toHaveProperty('error')
    expect(reached()).toBe(before + 1)
    const { result } = (await listTools(url(), token)).body as { result: { tools: { name: string }[] } }
    expect(result.tools.map(({ name }) => name)).toEqual(['read_note'])
  })

  it.each<[string, (res: ServerResponse) => void]>([
    ['says no', says(200, '{"result":false}')],
    ['fails', says(500, '{"result":true}')],
    ['says something else', says(200, '{"result":"true"}')],
    ['says nothing', says(200, '{}')],
    ['speaks another language', says(200, 'clean!')],
    ['breaks off', (res) => void res.destroy()],
    ['never answers', () => undefined],
  ])('that %s closes what it guards', async (what, as) => {
    answer = as
    const before = reached()
    expect(await call('read_note', what)).toHaveProperty('error')
    expect(reached()).toBe(before)
    answer = YES
    await expect
      .poll(() => call('read_note', `${what}, and is well again`), { timeout: 20_000 })
      .toHaveProperty('result')
  })
})
