// Many things at /mcp: the strategies of naming through the gateway, and lists of more than one page.
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, request } from '../support/mcp.ts'
import { createSdkHost, type Mode } from '../support/sdk.ts'

const MANY = Array.from({ length: 1200 }, (_, at) => `tool_${at}`)

let first: Canary
let second: Canary
beforeAll(async () => {
  ;[first, second] = await Promise.all([
    startCanary({ tools: ['search', ...MANY] }),
    startCanary({ tools: ['search', 'find'] }),
  ])
})
afterAll(async () => {
  await first?.close()
  await second?.close()
})

async function against(
  naming: 'conflict' | 'none',
  test: (gateway: TestGateway, token: string) => Promise<void>,
): Promise<void> {
  const gateway = await startGateway({
    servers: [
      { id: 'first', url: first.url },
      { id: 'second', url: second.url },
    ],
    policy: {
      rules: [
        { allow: ['second/*'], to: ['*'] },
        { allow: ['first/*'], to: ['group:engineering'] },
      ],
    },
    aggregate: { naming },
  })
  try {
    await test(gateway, await gateway.tokenFor('*'))
  } finally {
    await gateway.close()
  }
}

/** The calls of a tool that reached a server. */
const reached = ({ requests }: Canary): string[] =>
  requests.flatMap(({ body }) => {
    const { method, params } = JSON.parse(body.toString() || '{}')
    return method === 'tools/call' ? [params.name] : []
  })

async function pages(gateway: TestGateway, token: string): Promise<string[][]> {
  const found: string[][] = []
  let cursor: unknown
  do {
    const { body } = await request(`${gateway.url}/mcp`, token, 'tools/list', cursor === undefined ? {} : { cursor })
    const { tools, nextCursor } = body['result'] as { tools: { name: string }[]; nextCursor?: unknown }
    found.push(tools.map(({ name }) => name))
    cursor = nextCursor
  } while (cursor !== undefined)
  return found
}

describe('names', () => {
  it('by conflict: their own, and a prefix for who comes second; each call reaches its server', async () => {
    await against('conflict', async (gateway, token) => {
      const names = (await pages(gateway, token)).flat()
      expect(names.filter((name) => !name.startsWith('tool_'))).toEqual(['search', 'second__search', 'find'])
      const before = [reached(first).length, reached(second).length]
      for (const name of ['search', 'second__search', 'find'])
        expect((await callTool(`${gateway.url}/mcp`, token, name)).body['result']).toBeDefined()
      expect(reached(first).slice(before[0])).toEqual(['search'])
      expect(reached(second).slice(before[1])).toEqual(['search', 'find'])
    })
  })

  it('by conflict: a server that the caller does not see takes no name from one that they do', async () => {
    await against('conflict', async (gateway) => {
      const bob = await gateway.tokenFor('*', { user: BOB })
      expect(await pages(gateway, bob)).toEqual([['search', 'find']])
      const before = reached(first).length
      expect((await callTool(`${gateway.url}/mcp`, bob, 'search')).body['result']).toBeDefined()
      expect(reached(first).length).toBe(before)
      expect(reached(second).at(-1)).toBe('search')
    })
  })

  it('as they are: who comes second is left out, and the log says so', async () => {
    await against('none', async (gateway, token) => {
      const names = (await pages(gateway, token)).flat()
      expect(names.filter((name) => !name.startsWith('tool_'))).toEqual(['search', 'find'])
      const before = reached(second).length
      expect((await callTool(`${gateway.url}/mcp`, token, 'search')).body['result']).toBeDefined()
      expect(reached(second).length).toBe(before)
      const told = gateway.log.map((line) => JSON.parse(line)).filter(({ reason }) => reason === 'name_taken')
      expect(told).toMatchObject([{ level: 'warn', server: 'second', name: 'search' }])
    })
  })
})

describe('a list of more than a thousand', () => {
  it('comes in pages, each thing once, and what is on the last one is called like any other', async () => {
    await against('conflict', async (gateway, token) => {
      const found = await pages(gateway, token)
      expect(found.map(({ length }) => length)).toEqual([1000, 203])
      expect(new Set(found.flat()).size).toBe(1203)
      const name = 'tool_1199'
      expect(found[1]).toContain(name)
      expect((await callTool(`${gateway.url}/mcp`, token, name)).body['result']).toBeDefined()
      expect(reached(first).at(-1)).toBe(name)
    })
  })

  it('has no page where none begins', async () => {
    await against('conflict', async (gateway, token) => {
      for (const cursor of ['0', '1203', '99999', 'x', '', '-1', '1e2', 1000]) {
        const { body } = await request(`${gateway.url}/mcp`, token, 'tools/list', { cursor })
        expect([cursor, body['error']]).toMatchObject([cursor, { code: -32602 }])
      }
    })
  })

  it.each<Mode>(['legacy', { pin: '2026-07-28' }])('is read to its end by the official client, %j', async (mode) => {
    await against('conflict', async (gateway) => {
      const client: Client = await createSdkHost(await gateway.person()).connect(`${gateway.url}/mcp`, mode)
      const names: string[] = []
      let cursor: string | undefined
      do {
        const page = await client.listTools(cursor === undefined ? {} : { cursor })
        names.push(...page.tools.map(({ name }) => name))
        cursor = page.nextCursor
      } while (cursor !== undefined)
      await client.close()
      expect(new Set(names).size).toBe(1203)
    })
  })
})
