// `portcullis policy test` and `policy lint` as an operator runs them.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand, writeConfig } from '../support/cli.ts'
import { startFixture } from '../support/fixture-server.ts'

const CASES = `cases:
  - name: finance pays a little
    who: { user: ann@example.com, groups: [finance] }
    call: { server: pay, tool: transfer, args: { amount: 5 } }
    expect: allow
    rule: small
  - who: { user: ann@example.com, groups: [finance] }
    call: { server: pay, tool: transfer, args: { amount: 5000 } }
    expect: deny
    reason: no_rule_allows
  - who: { user: ann@example.com, groups: [finance] }
    call: { server: pay, tool: transfer }
    expect: listed
  - who: { anonymous: true }
    call: { server: pay, tool: transfer }
    expect: hidden
  - who: { user: ann@example.com }
    call: { server: pay, tool: read, definition: { annotations: { readOnlyHint: true } } }
    expect: allow
  - who: { user: ann@example.com, scopes: [] }
    call: { server: pay, tool: read, definition: { annotations: { readOnlyHint: true } } }
    expect: deny
    reason: scope_missing
  - who: { user: bob@example.com, groups: [desk] }
    call: { server: support, tool: find }
    expect: allow
    rule: desk
  - who: { user: bob@example.com, claims: { unit: north } }
    call: { server: pay, resource: "file:///home/bob/x" }
    expect: allow
    rule: own
  - who: { user: bob@example.com, roles: [clerk], groups: [ops] }
    call: { server: pay, tool: late, request: { time: 2026-11-21T22:00:00Z } }
    expect: deny
    rule: hours
  - who: { user: bob@example.com, groups: [ops] }
    call: { server: pay, tool: late, request: { time: "2026-11-21T12:00:00Z" }, answers: { opa: true } }
    expect: allow
`

let place: Awaited<ReturnType<typeof writeConfig>>
beforeAll(async () => {
  place = await writeConfig({
    servers: [
      { id: 'pay', url: 'http://127.0.0.1:1/mcp' },
      { id: 'support', tools: [{ from: 'pay/search', name: 'find' }, 'pay/audit'] },
    ],
    roles: { night: ['group:ops'] },
    policy: {
      decisionPoints: { opa: { url: 'http://127.0.0.1:1/v1/data/allow', type: 'opa' } },
      rules: [
        { id: 'small', allow: ['pay/transfer'], to: ['group:finance'], when: 'args.amount <= 1000' },
        { id: 'reading', allow: ['pay/re*'], to: ['*'], when: 'tool.annotations.readOnlyHint' },
        { id: 'desk', allow: ['support/find'], to: ['group:desk'] },
        { id: 'own', allow: ['resource:pay/file:///home/{user}/{+path}'], to: ['claim:unit=north'] },
        { id: 'late', allow: ['pay/late'], to: ['role:night'], consult: 'opa' },
        { id: 'hours', deny: ['pay/late'], to: ['*'], when: 'request.time.getHours() > 20' },
      ],
    } as never,
  })
})
afterAll(() => rmSync(place.folder, { recursive: true, force: true }))

function test(cases: string) {
  writeFileSync(join(place.folder, 'cases.yaml'), cases)
  return runCommand(['policy', 'test', 'cases.yaml', '--config', place.configFile], { cwd: place.folder })
}

describe('portcullis policy test', () => {
  it('passes where every decision is as expected', async () => {
    const { code, stdout, stderr } = await test(CASES)
    expect(stdout).not.toContain('not ok')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^1\.\.10\nok 1 - finance pays a little \(cases\.yaml:2:\d+\)\n/)
    expect(stdout).toContain('# 10 as expected, 0 not')
  })

  it('tells of each difference where its case stands, which rule decided, and ends with 1', async () => {
    const { code, stdout } = await test(
      CASES.replace('expect: allow\n    rule: small', 'expect: deny\n    rule: other').replace(
        'expect: hidden',
        'expect: listed',
      ),
    )
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^not ok 1 - .*\n {2}# expected deny, got allow: allowed_by_rule by small\n {2}# expected the rule other, got small\n {2}# small, .*portcullis\.json:\d+:\d+: allow pay\/transfer to group:finance when args\.amount <= 1000$/m,
    )
    expect(stdout).toMatch(
      /^not ok 4 - anonymous listed pay\/transfer \(cases\.yaml:14:\d+\)\n {2}# expected listed, got hidden/m,
    )
    expect(stdout).toContain('# 8 as expected, 2 not')
  })

  it.each([
    ['an unknown key', 'expect: hidden', 'expects: hidden', /cases\.yaml:16:\d+ .*\n.*Did you mean "expect"\?/],
    ['an unknown key within', 'anonymous: true', 'anonimous: true', /Did you mean "anonymous"\?/],
    [
      'a case about nothing',
      'server: pay, tool: read, def',
      'server: pay, def',
      /Name one of tool, prompt, resource and method/,
    ],
    ['an expectation that is none', 'expect: listed', 'expect: maybe', /cases\.yaml:13:\d+/],
  ])('refuses %s, with its line', async (_what, from, to, words) => {
    const { code, stdout, stderr } = await test(CASES.replace(from, to))
    expect([code, stdout]).toEqual([78, ''])
    expect(stderr).toMatch(words)
  })

  it('passes with the cases and the configuration of its guide', async () => {
    const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/explain.md'), 'utf8')
    const [config = '', cases = ''] = [/^```yaml\n([\s\S]*?)^```/m, /^```\n(cases:[\s\S]*?)^```/m].map(
      (block) => block.exec(guide)?.[1] ?? '',
    )
    writeFileSync(join(place.folder, 'guide.yaml'), config)
    writeFileSync(join(place.folder, 'guide-cases.yaml'), cases)
    const words = ['policy', 'test', 'guide-cases.yaml', '--config', 'guide.yaml']
    const { code, stdout } = await runCommand(words, { cwd: place.folder })
    expect(stdout).toContain('# 6 as expected, 0 not')
    expect(code).toBe(0)
  })

  it('refuses a file that is not there', async () => {
    const gone = await runCommand(['policy', 'test', 'gone.yaml', '--config', place.configFile], { cwd: place.folder })
    expect(gone).toMatchObject({ code: 1, stdout: '' })
    expect(gone.stderr).toContain('Cannot read the cases gone.yaml')
  })
})

describe('portcullis policy lint', () => {
  const lint = (...words: string[]) =>
    runCommand(['policy', 'lint', '--config', place.configFile, ...words], { cwd: place.folder })

  it('tells where each finding stands and what to do; only --strict ends with 1', async () => {
    const { code, stdout } = await lint()
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^portcullis\.json:\d+:\d+ {2}unreachable_pick\n {4}No rule allows "pay\/audit" under support\/audit to anybody\. Allow support\/audit/m,
    )
    expect(stdout).toMatch(/^1 finding\.$/m)
    expect((await lint('--strict')).code).toBe(1)
    const json = await lint('--json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      kind: 'unreachable_pick',
      place: expect.stringMatching(/^portcullis\.json:\d+:\d+$/),
    })
  })

  it('asks the servers for their tools, when it is told to; one that does not answer is said and not judged', async () => {
    const fixture = await startFixture()
    const rules = [
      { id: 'there', allow: ['fixture/test_simple_*'], to: ['*'] },
      { id: 'gone', allow: ['fixture/test_simpel_text'], to: ['*'] },
      { id: 'dark', allow: ['dark/anything'], to: ['*'] },
    ]
    const dark = { id: 'dark', url: 'http://127.0.0.1:1/mcp' }
    const { folder, configFile } = await writeConfig({
      servers: [{ id: 'fixture', url: fixture.url }, dark],
      policy: { rules } as never,
    })
    try {
      const live = await runCommand(['policy', 'lint', '--live', '--config', configFile], { cwd: folder })
      expect(live.stdout).toMatch(
        /unknown_tool {2}gone\n {4}"fixture\/test_simpel_text" names no tool that its server has\./,
      )
      expect(live.stdout).toMatch(/^1 finding\.$/m)
      expect(live.stderr).toMatch(/^dark did not list its tools/m)
      const still = await runCommand(['policy', 'lint', '--config', configFile], { cwd: folder })
      expect(still).toMatchObject({ code: 0, stdout: 'Nothing is said in vain.\n', stderr: '' })
    } finally {
      await fixture.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
