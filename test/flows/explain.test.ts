// A gate runs, calls are made, and the command line says why each was answered as it was; then another set of rules is tried on them.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema.ts'
import { runCommand, type Served, serve, startCommand } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { ANN, BOB } from '../support/gateway.ts'
import { callTool, type McpAnswer } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'

const text = { id: 'text', allow: ['fixture/test_simple_text'], to: ['group:engineering'] }
const guarded = {
  id: 'guarded',
  allow: ['fixture/test_tool_with_*'],
  to: ['group:engineering'],
  when: "args.pace == 'slow'",
}
const closed = { id: 'closed', deny: ['fixture/test_audio_content'], to: ['*'] }
const seen = { id: 'seen', allow: ['fixture/test_embedded_resource'], to: ['*'] }
const RULES = [seen, text, guarded, closed, { id: 'rest', allow: ['fixture/test_audio_content'], to: ['*'] }]

let fixture: Fixture
let served: Served
let resource: string
let ann: string
let bob: string

beforeAll(async () => {
  fixture = await startFixture()
  const config: ConfigInput = {
    servers: [{ id: 'fixture', url: fixture.url }],
    policy: { rules: RULES } as ConfigInput['policy'],
    scopes: { 'mcp:tools': { title: 'Tools', covers: ['*/*'] }, extra: { title: 'Extra', covers: ['none/none'] } },
    limits: [
      { id: 'few', match: 'fixture/test_simple_text', quota: '2/day', to: ['group:finance', 'group:engineering'] },
    ],
  }
  served = await serve(config, [ANN, BOB])
  resource = `${served.url}/servers/fixture/mcp`
  const client = await registerClient(served)
  const signIn = async (who: typeof ANN) =>
    (await client.signIn(createPerson(who), { resource, scope: 'mcp:tools' })).accessToken
  ann = await signIn(ANN)
  bob = await signIn(BOB)
})
afterAll(async () => {
  await served?.close()
  await fixture?.close()
})

const idOf = ({ headers }: McpAnswer): string => headers.get('x-request-id') ?? ''
const run = (...words: string[]) => runCommand([...words, '--config', served.configFile], { cwd: served.folder })

/** Calls are committed in batches: the record is asked until it has the end of this one. */
async function explained(answer: McpAnswer): Promise<string> {
  const tail = startCommand(['audit', 'tail', '--config', served.configFile], { cwd: served.folder })
  await tail.says(new RegExp(idOf(answer)))
  await tail.stop()
  const { code, stdout, stderr } = await run('explain', idOf(answer))
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

describe('portcullis explain', () => {
  it('names the rule that allowed a call, where it stands, and who the caller was then', async () => {
    const told = await explained(await callTool(resource, ann, 'test_simple_text'))
    expect(told).toMatch(/^Who +ann@example\.com \(.+\) with client .+ by access_token/m)
    expect(told).toContain('as recorded then: groups engineering')
    expect(told).toMatch(/^Decision +allow: allowed_by_rule$/m)
    expect(told).toMatch(/^Rule +text, .*portcullis\.json:\d+:\d+$/m)
    expect(told).toContain('allow fixture/test_simple_text to group:engineering')
    expect(told).toMatch(/^Answer +HTTP 200 answered/m)
    expect(told).not.toContain('To allow')
    expect(told).not.toContain('Beware')
  })

  it('says of a hidden tool which rule would have to be for this caller', async () => {
    const told = await explained(await callTool(resource, bob, 'test_simple_text'))
    expect(told).toMatch(/^Decision +deny: no_rule_allows$/m)
    expect(told).toContain('No rule allows it.')
    expect(told).toMatch(/To allow +text allows it to group:engineering, which the caller was not\./)
  })

  it('and of one that no rule speaks of, the rule to write', async () => {
    const told = await explained(await callTool(resource, bob, 'test_image_content'))
    expect(told).toContain('No rule speaks of it. Write { allow: ["fixture/test_image_content"], to: […] }.')
  })

  it('shows what a condition read, and that it was not met', async () => {
    const told = await explained(
      await callTool(resource, ann, 'test_tool_with_logging', { pace: 'fast', secret: 'kept from it' }),
    )
    expect(told).toMatch(/^Read +\{"pace":"fast"\}$/m)
    expect(told).toMatch(/guarded allows it to this caller, and its condition was not met\..*when args\.pace == 'slow'/)
    expect(told).not.toContain('kept from it')
    const failed = await explained(await callTool(resource, ann, 'test_tool_with_logging'))
    expect(failed).toMatch(/^Decision +deny: condition_failed$/m)
    expect(failed).toMatch(/its condition could not be evaluated/)
  })

  it('names the denial that stood in the way of an allow', async () => {
    const told = await explained(await callTool(resource, bob, 'test_audio_content'))
    expect(told).toMatch(/^Decision +deny: denied_by_rule$/m)
    expect(told).toMatch(/closed must not deny it to this caller\./)
    expect(told).toMatch(/rest allows it to this caller\./)
  })

  it('says which limit it was', async () => {
    const tries = [await callTool(resource, ann, 'test_simple_text'), await callTool(resource, ann, 'test_simple_text')]
    const refused = tries.find(({ status }) => status === 429)
    expect(refused).toBeDefined()
    const told = await explained(refused as McpAnswer)
    expect(told).toMatch(/^Decision +deny: quota_exhausted$/m)
    expect(told).toMatch(/^Limit +few: .*"fixture\/test_simple_text"/m)
  })

  it('explains a credential that was refused before policy, and an act', async () => {
    const told = await explained(await callTool(resource, `${ann}x`, 'test_simple_text'))
    expect(told).toMatch(/^Who +unknown/m)
    expect(told).toMatch(/^Decision +deny: (bad_signature|malformed|unknown_token)$/m)
    expect(told).not.toContain(ann)
    const { stdout } = await run('audit', 'tail', '--no-follow', '--json')
    const act = stdout.split('\n').find((line) => line.includes('"sign_in"')) ?? '{}'
    const explainedAct = await run('explain', (JSON.parse(act) as { id: string }).id)
    expect(explainedAct.stdout).toMatch(/^Act +sign_in at /m)
  })

  it('answers in JSON, and refuses an id that nobody has', async () => {
    const answer = await callTool(resource, bob, 'test_image_content')
    await explained(answer)
    const { stdout } = await run('explain', idOf(answer), '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      event: { reason: 'no_rule_allows' },
      why: 'No rule allows it.',
      current: true,
    })
    const unknown = await run('explain', '0190c0de-0000-7000-8000-000000000000')
    expect(unknown).toMatchObject({ code: 1, stdout: '' })
    expect(unknown.stderr).toContain('the record has no such request')
  })
})

describe('portcullis policy replay', () => {
  function otherRules(rules: readonly object[]): string {
    const file = join(served.folder, 'new.json')
    const config = JSON.parse(readFileSync(served.configFile, 'utf8')) as Record<string, unknown>
    writeFileSync(file, JSON.stringify({ ...config, policy: { rules } }))
    return file
  }
  const replay = async (file: string) => {
    const { code, stdout, stderr } = await run('policy', 'replay', '--since', '1h', '--with', file, '--json')
    expect([code, stderr]).toEqual([0, ''])
    return JSON.parse(stdout) as {
      same: number
      newlyDenied: number
      newlyAllowed: number
      people: { person: string; newlyAllowed: { count: number; examples: { what: string; rule: string }[] } }[]
      missing: { what: string }[]
    }
  }

  it('finds no difference by the same rules', async () => {
    const report = await replay(served.configFile)
    expect(report).toMatchObject({ newlyDenied: 0, newlyAllowed: 0, people: [], missing: [] })
    expect(report.same).toBeGreaterThan(5)
  })

  it('says per person what other rules would change, and what nobody can tell', async () => {
    const image = { id: 'image', allow: ['fixture/test_image_content'], to: ['group:finance'] }
    const sealed = { id: 'sealed', deny: ['fixture/test_simple_text'], to: ['*'] }
    const report = await replay(
      otherRules([{ ...guarded, when: "args.secret == 'kept from it'" }, sealed, seen, image]),
    )
    expect(report.newlyDenied).toBeGreaterThan(0)
    const bobs = report.people.find(({ person }) => person.startsWith('bob'))
    expect(bobs?.newlyAllowed.count).toBe(2)
    expect(bobs?.newlyAllowed.examples[0]).toMatchObject({ what: 'fixture/test_image_content', rule: 'image' })
    expect(report.missing).toEqual([expect.objectContaining({ what: 'arguments that were not kept' })])
    const { stdout } = await run('policy', 'replay', '--since', '1h', '--with', otherRules([sealed, seen, image]))
    expect(stdout).toMatch(/calls that were allowed would be refused\./)
    expect(stdout).toMatch(/newly denied: \d+\n.*fixture\/test_simple_text {2}by sealed/)
  })

  it('refuses a time that is none and rules that cannot be read', async () => {
    const bad = await run('policy', 'replay', '--since', 'yesterday', '--with', served.configFile)
    expect(bad).toMatchObject({ code: 1, stdout: '' })
    expect(bad.stderr).toContain('write a time such as 12h')
    const wrong = await run('policy', 'replay', '--with', otherRules([{ allow: ['x/y'], to: ['*'], when: 'args.(' }]))
    expect(wrong.code).toBe(78)
  })
})
