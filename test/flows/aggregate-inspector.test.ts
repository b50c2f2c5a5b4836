// The reference servers behind /mcp, by way of the official Inspector's command line, in both eras.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { runInspector } from '../support/inspector.ts'
import {
  filesystemServer,
  memoryServer,
  startEverything,
  type TestUpstream,
  thinkingServer,
} from '../support/upstream.ts'

let folder: string
let everything: TestUpstream
let fixture: Fixture
let gateway: TestGateway
let token: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-inspector-'))
  writeFileSync(join(folder, 'hello.txt'), 'hello from the disk')
  ;[everything, fixture] = await Promise.all([startEverything(), startFixture()])
  gateway = await startGateway({
    servers: [
      { id: 'everything', url: everything.url },
      { ...filesystemServer('files', folder), prefix: 'fs_' },
      memoryServer('memory', join(folder, 'memory.json')),
      { id: 'fixture', url: fixture.url },
      thinkingServer('thinking'),
    ],
  })
  token = await gateway.tokenFor('*')
})
afterAll(async () => {
  await gateway?.close()
  await everything?.stop()
  await fixture?.close()
  rmSync(folder, { recursive: true, force: true })
})

const inspect = (era: string, ...args: string[]) =>
  runInspector({
    url: `${gateway.url}/mcp`,
    folder,
    args: ['--protocol-era', era, '--header', `Authorization: Bearer ${token}`, ...args],
  })
const call = (era: string, name: string, ...args: string[]) =>
  inspect(era, '--method', 'tools/call', '--tool-name', name, ...args.flatMap((arg) => ['--tool-arg', arg]))

describe.each(['legacy', 'modern'])('in the %s era', (era) => {
  it('lists the tools of all of them', async () => {
    const { code, result, stderr } = await inspect(era, '--method', 'tools/list')
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Error')])
    const names = (result.tools ?? []).map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining([
        'everything__echo',
        'fs_read_text_file',
        'memory__read_graph',
        'fixture__test_simple_text',
        'thinking__sequentialthinking',
      ]),
    )
  })

  it.each([
    ['everything__echo', ['message=hi'], 'Echo: hi'],
    ['fs_read_text_file', ['path=FOLDER/hello.txt'], 'hello from the disk'],
    ['memory__read_graph', [], '"entities"'],
    ['fixture__test_simple_text', [], 'simple text'],
    [
      'thinking__sequentialthinking',
      ['thought=so', 'nextThoughtNeeded=false', 'thoughtNumber=1', 'totalThoughts=1'],
      '"thoughtNumber": 1',
    ],
  ])('calls %s', async (name, args, answer) => {
    const { code, result } = await call(era, name, ...args.map((arg) => arg.replace('FOLDER', folder)))
    expect([code, result.content?.[0]?.text]).toEqual([0, expect.stringContaining(answer)])
  })
})
