// Servers as people have them: a remote one of the handshake era, two local programs. All behind one gate, one sign-in each.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { createSdkHost } from '../support/sdk.ts'
import { filesystemServer, memoryServer, startEverything, type TestUpstream } from '../support/upstream.ts'

let folder: string
let everything: TestUpstream
let gateway: TestGateway

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-files-'))
  writeFileSync(join(folder, 'note.txt'), 'behind the gate')
  everything = await startEverything()
  gateway = await startGateway({
    servers: [
      { id: 'everything', url: everything.url },
      filesystemServer('files', folder),
      memoryServer('memory', join(folder, 'memory.jsonl')),
    ],
    policy: {
      rules: [
        { allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] },
        { deny: ['files/write_*', 'everything/get-env'], to: ['*'] },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await everything?.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function connected<T>(server: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = await createSdkHost(await gateway.person()).connect(gateway.resource(server), 'auto')
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

const namesOf = async (client: Client) => (await client.listTools()).tools.map((tool) => tool.name)

describe('server-everything over HTTP', () => {
  it('lists, calls, reads and prompts', () =>
    connected('everything', async (client) => {
      const names = await namesOf(client)
      expect(names).toContain('echo')
      expect(names).not.toContain('get-env')
      const echoed = await client.callTool({ name: 'echo', arguments: { message: 'hello there' } })
      expect(JSON.stringify(echoed.content)).toContain('hello there')
      expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0)
      const [resource] = (await client.listResources()).resources
      expect((await client.readResource({ uri: resource?.uri ?? '' })).contents).toHaveLength(1)
    }))

  it('reports progress while a long tool runs', () =>
    connected('everything', async (client) => {
      const steps: number[] = []
      const call = { name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 4 } }
      await client.callTool(call, { onprogress: ({ progress }) => void steps.push(progress) })
      expect(steps.length).toBeGreaterThanOrEqual(3)
    }))
})

describe('server-filesystem over stdio', () => {
  it('reads what it may, and its writing tools are not there', () =>
    connected('files', async (client) => {
      const names = await namesOf(client)
      expect(names).toContain('read_text_file')
      expect(names.filter((name) => name.startsWith('write_'))).toEqual([])
      const read = await client.callTool({ name: 'read_text_file', arguments: { path: join(folder, 'note.txt') } })
      expect(JSON.stringify(read.content)).toContain('behind the gate')
    }))
})

describe('server-memory over stdio', () => {
  it('serves two people at once, each with their own answers', async () => {
    const [ann, bob] = [await gateway.person(), await gateway.person('bob')]
    const clients = await Promise.all(
      [ann, bob].map((person) => createSdkHost(person).connect(gateway.resource('memory'), 'auto')),
    )
    const searches = clients.flatMap((client, index) =>
      Array.from({ length: 10 }, (_, turn) => {
        const name = `entity-${index}-${turn}`
        const entity = { name, entityType: 'test', observations: [] }
        return client
          .callTool({ name: 'create_entities', arguments: { entities: [entity] } })
          .then((result) => ({ name, result }))
      }),
    )
    for (const { name, result } of await Promise.all(searches)) expect(JSON.stringify(result.content)).toContain(name)
    await Promise.all(clients.map((client) => client.close()))
  })
})
