import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-kuadrant-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function load(config: object) {
  writeFileSync(join(folder, 'portcullis.json'), JSON.stringify(config, null, 2))
  return loadConfig({ env: {}, cwd: folder, resolveHost: async () => [] })
}

const url = 'http://127.0.0.1:9/mcp'
const SERVERS = [
  { name: 'mcp-test/server1-route', url, prefix: 'test1_' },
  { name: 'mcp-test/server2-route', url, prefix: 'test' },
  { id: 'plain', url },
]

describe('servers by a name alone', () => {
  it('are called by it, at an address made of it', async () => {
    const { config } = await load({ servers: SERVERS })
    expect(config.servers).toEqual([
      expect.objectContaining({ id: 'mcp-test_server1-route', name: 'mcp-test/server1-route', prefix: 'test1_' }),
      expect.objectContaining({ id: 'mcp-test_server2-route', name: 'mcp-test/server2-route', prefix: 'test' }),
      expect.objectContaining({ id: 'plain', url }),
    ])
  })

  it('two names that make one address are refused', async () => {
    const twice = [SERVERS[0], { name: 'mcp-test_server1-route', url }]
    await expect(load({ servers: twice })).rejects.toThrow(/Two servers are called mcp-test_server1-route/)
  })
})

describe('virtualServers', () => {
  const views = (...entries: readonly unknown[]) => load({ servers: SERVERS, virtualServers: entries })

  it('become servers that show those tools under the same names', async () => {
    const { config } = await views({
      name: 'mcp-test/accounting',
      tools: ['test1_greet', 'test_headers', 'plain__add'],
      prompts: ['test1_greet'],
    })
    expect(config.servers.at(-1)).toEqual({
      id: 'mcp-test_accounting',
      name: 'mcp-test/accounting',
      tools: [
        { from: 'mcp-test_server1-route/greet', name: 'test1_greet' },
        { from: 'mcp-test_server2-route/_headers', name: 'test_headers' },
        { from: 'plain/add', name: 'plain__add' },
      ],
      prompts: [{ from: 'mcp-test_server1-route/greet', name: 'test1_greet' }],
      resources: [],
    })
  })

  it.each<[string, unknown, RegExp]>([
    ['a tool of no server', { name: 'a/b', tools: ['other_greet'] }, /virtualServers\.0\.tools\.0[\s\S]*no server/],
    ['a prefix alone', { name: 'a/b', tools: ['test1_', 'tes'] }, /virtualServers\.0\.tools\.1/],
    ['a tool that is no text', { name: 'a/b', tools: [7] }, /virtualServers\.0\.tools\.0/],
    ['no tools at all', { name: 'a/b', tools: [] }, /It shows nothing/],
    ['no name', { tools: ['test1_greet'] }, /virtualServers\.0[\s\S]*name, tools/],
    ['a key that is none', { name: 'a/b', tools: ['test1_greet'], auth_only: true }, /auth_only/],
  ])('%s is refused with its place', async (_what, view, message) => {
    await expect(views(view)).rejects.toThrow(message)
    await expect(views(view)).rejects.toThrow(/portcullis\.json:\d+:\d+/)
  })

  it('without a list of servers is refused', async () => {
    await expect(load({ virtualServers: [{ name: 'a/b', tools: ['x'] }] })).rejects.toThrow(/virtualServers/)
  })
})
