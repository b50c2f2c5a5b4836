// Tools that a program offers only to clients which answer questions: there for everybody where each caller has a program of their own, in
// lists that are asked for once for all; not where callers share one, since nobody could be asked.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AskedHost, connectAsked, textOf } from '../support/asked.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'

const EVERYTHING = join(import.meta.dirname, '../../node_modules/@modelcontextprotocol/server-everything/dist/index.js')
const command = [process.execPath, EVERYTHING, 'stdio']

let gateway: TestGateway
let host: AskedHost
beforeAll(async () => {
  gateway = await startGateway({
    servers: [
      { id: 'own', command, instances: 'per-principal', lists: 'shared' },
      { id: 'common', command, instances: 'shared' },
    ],
  })
  host = await connectAsked(`${gateway.url}/mcp`, await gateway.tokenFor('*'), { pin: '2026-07-28' }, {})
})
afterAll(async () => {
  await host?.close()
  await gateway?.close()
})

describe('tools that need an answer', () => {
  it('are offered where each caller has a program of their own, and nowhere else', async () => {
    const names = (await host.client.listTools()).tools.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['own__echo', 'own__trigger-sampling-request', 'common__echo']))
    expect(names).not.toContain('common__trigger-sampling-request')
  })

  it('get it from the caller', async () => {
    const result = await host.client.callTool({
      name: 'own__trigger-sampling-request',
      arguments: { prompt: 'Capital of France?' },
    })
    expect(textOf(result)).toContain('Paris')
  })
})
