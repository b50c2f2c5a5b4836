// The official Inspector on the command line, headless: it registers (or shows its metadata document), a person follows the
// address it prints, and it calls a tool. https://github.com/modelcontextprotocol/inspector
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type InspectorRun, runInspector } from '../support/inspector.ts'
import { listTools } from '../support/mcp.ts'
import type { Person } from '../support/person.ts'

/** Exit code of the Inspector when it may not sign in. */
const AUTH_REQUIRED = 3

let fixture: Fixture
let gateway: TestGateway
let folder: string

beforeAll(async () => {
  fixture = await startFixture()
  gateway = await startGateway({
    servers: [{ id: 'fixture', url: fixture.url }],
    policy: { rules: [{ allow: ['fixture/*'], to: ['group:engineering'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await fixture?.close()
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inspector-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const inspect = (args: readonly string[], person?: Person): Promise<InspectorRun> =>
  runInspector({ url: gateway.resource('fixture'), folder, args, ...(person && { person }) })

describe.each(['legacy', 'auto', 'modern'])('the Inspector CLI, protocol era %s', (era) => {
  it('registers, signs in and lists the tools; the stored sign-in then serves a call', async () => {
    const listed = await inspect(['--method', 'tools/list', '--protocol-era', era], await gateway.person())
    expect(listed.visits).toHaveLength(1)
    expect(listed.result.tools?.map((tool) => tool.name)).toContain('test_simple_text')
    expect(listed.code).toBe(0)

    const call = ['--method', 'tools/call', '--tool-name', 'test_simple_text', '--protocol-era', era]
    const called = await inspect([...call, '--stored-auth-only'])
    expect(called.code).toBe(0)
    expect(called.result.content?.[0]?.text).toBeTruthy()
  })
})

describe('the Inspector CLI without a person', () => {
  it('is told that a sign-in is needed', async () => {
    const refused = await inspect(['--method', 'tools/list', '--stored-auth-only'])
    expect(refused.code).toBe(AUTH_REQUIRED)
    expect(refused.result.tools).toBeUndefined()
  })

  it('signs in anew on --relogin, and what it was given before goes on to work elsewhere', async () => {
    const person = await gateway.person()
    const other = await gateway.signIn('fixture', { user: person })
    await inspect(['--method', 'tools/list'], person)
    const again = await inspect(['--method', 'tools/list', '--relogin'], person)
    expect(again.code).toBe(0)
    expect(again.visits).toHaveLength(1)
    expect((await listTools(gateway.resource('fixture'), other.accessToken)).status).toBe(200)
  })
})
