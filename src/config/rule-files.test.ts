// Rules in files of their own, and what is told of rules that cannot be kept: the file, the line, and what to write.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import { printConfig } from './print.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'portcullis-rules-'))
  mkdirSync(join(cwd, 'rules.d'))
})
const write = (name: string, text: string) => writeFileSync(join(cwd, name), text)
const load = (env: Record<string, string> = {}) => loadConfig({ env, cwd, resolveHost: async () => [] })
const refusal = (): Promise<string> =>
  load().then(
    () => 'taken',
    (error: Error) => error.message,
  )
const SERVERS = 'servers: [ { id: pay, url: "http://127.0.0.1:1/mcp" } ]\n'
const config = (policy: string) => write('portcullis.yaml', `${SERVERS}policy:\n${policy}`)

describe('policy.files', () => {
  it('adds the rules of files and folders behind those of the configuration, by their names', async () => {
    config('  files: [rules.d, last.yaml]\n  rules:\n    - { id: first, allow: ["pay/a"], to: ["*"] }\n')
    write('rules.d/20-b.yaml', 'rules: [ { id: third, deny: ["pay/c"], to: ["*"], when: "args.n > ${MOST:-5}" } ]\n')
    write('rules.d/10-a.json', '{ "rules": [ { "id": "second", "allow": ["pay/b"], "to": ["*"] } ] }')
    write('rules.d/.hidden.yaml', 'rules: [ { id: hidden, allow: ["*/*"], to: ["*"] } ]\n')
    write('rules.d/readme.md', 'not rules')
    write('last.yaml', 'rules:\n  - { id: fourth, allow: ["pay/d"], to: ["*"] }\n')
    const loaded = await load()
    expect(loaded.config.policy.rules.map(({ id }) => id)).toEqual(['first', 'second', 'third', 'fourth'])
    expect(loaded.config.policy.rules[2]?.when).toBe('args.n > 5')
    expect(loaded.watched).toEqual([join(cwd, 'rules.d'), join(cwd, 'last.yaml')])
    const printed = printConfig(loaded)
    expect(printed).toContain('rules.d/20-b.yaml:1:12')
    expect(printed).toMatch(/files: \[\]/)
  })

  it('takes them from a variable as well, and from files alone', async () => {
    write('portcullis.yaml', SERVERS)
    write('rules.d/a.yaml', 'rules: [ { allow: ["pay/a"], to: ["*"] } ]\n')
    const { config: loaded } = await load({ PORTCULLIS_POLICY_FILES: 'rules.d' })
    expect(loaded.policy.rules).toHaveLength(1)
  })

  it.each([
    ['nothing.yaml', 'portcullis.yaml:3:11', 'there is no such file or folder'],
    ['rules.d', 'portcullis.yaml:3:11', 'there is no file of rules in this folder'],
    ['empty.yaml', 'empty.yaml:1:1', 'holds no rules: list'],
    ['strange.yaml', 'strange.yaml:1:1', 'There is no setting "rule" here. Did you mean "rules"?'],
    ['broken.yaml', 'broken.yaml:1:', ''],
    ['wrong.yaml', 'wrong.yaml:3:10', 'policy.rules[0].to[0]'],
    ['twice.yaml', 'twice.yaml:3:7', 'Two rules are called a.'],
  ])('%s is refused at %s: %s', async (name, place, message) => {
    config(`  files: [${name}]\n`)
    write('empty.yaml', '{}\n')
    write('strange.yaml', 'rule: []\n')
    write('broken.yaml', 'rules: [')
    write('wrong.yaml', 'rules:\n  - allow: ["pay/a"]\n    to: ["everybody"]\n')
    write(
      'twice.yaml',
      'rules:\n  - { id: a, allow: ["pay/a"], to: ["*"] }\n  - { id: a, allow: ["pay/b"], to: ["*"] }\n',
    )
    const text = await refusal()
    expect(text).toContain(place)
    expect(text).toContain(message)
  })
})

describe('a file of rules is never left out silently', () => {
  it.each([
    ['2024', 'portcullis.yaml:3:11  policy.files[0]', 'Expected string, received number.'],
    ['{ path: rules.d }', 'portcullis.yaml:3:11  policy.files[0]', 'Expected string, received object.'],
    ['rules.d, [more]', 'portcullis.yaml:3:20  policy.files[1]', 'Expected string, received array.'],
  ])('files: [%s]', async (names, place, message) => {
    config(`  files: [${names}]\n`)
    write('rules.d/a.yaml', 'rules: [ { deny: ["pay/a"], to: ["*"] } ]\n')
    const text = await refusal()
    expect(text).toContain(place)
    expect(text).toContain(message)
    config(`  files: ["rules.d"]\n`)
    expect((await load()).config.policy.rules).toHaveLength(1)
  })

  it('what cannot be read of a folder is told', async () => {
    config('  files: [rules.d]\n')
    write('rules.d/a.yaml', 'rules: [ { allow: ["pay/a"], to: ["*"] } ]\n')
    mkdirSync(join(cwd, 'rules.d', 'b.yaml'))
    expect(await refusal()).toMatch(/rules\.d\/b\.yaml\n +This file of rules cannot be read \(EISDIR\)\./)
  })

  it.each([
    ['a key that is a list', '  ? [rules]\n  : []\n', 'portcullis.yaml:3:5  policy'],
    ['a key that is an alias', '  denials: &key hidden\n  *key : []\n', 'portcullis.yaml:4:3  policy'],
  ])('%s is no setting', async (_, text, place) => {
    config(text)
    expect(await refusal()).toContain(`${place}\n    A key is a plain name here.`)
  })
})

describe('rules that cannot be kept', () => {
  it.each([
    ['when: "args.amount <"', '7:7', 'policy.rules[0].when', 'Column 13: "<" is not expected here.'],
    ['unless: "args.amount > limit"', '7:7', 'policy.rules[0].unless', 'Column 15: There is no limit.'],
    ['when: "principal.groups"', '7:7', 'policy.rules[0].when', 'neither true nor false'],
    ['consult: opa', '7:7', 'policy.rules[0].consult', 'There is no decision point opa in policy.decisionPoints.'],
    ['wenn: "true"', '7:7', 'policy.rules[0].wenn', 'There is no setting "wenn" here.'],
  ])('%s is told at its place', async (line, place, setting, message) => {
    config(`  rules:\n    - id: one\n      allow: ["pay/*"]\n      to: ["*"]\n      ${line}\n`)
    const text = await refusal()
    expect(text).toContain(`portcullis.yaml:${place}  ${setting}`)
    expect(text).toContain(message)
  })

  it('tells lines of a condition that has several', async () => {
    config(
      '  rules:\n    - allow: ["pay/*"]\n      to: ["*"]\n      when: |\n        args.a == 1 &&\n        args.b === 2\n',
    )
    expect(await refusal()).toContain('Line 2, column 8: "=== 2" is not expected here.')
  })

  it.each([
    ['resource:pay/file:///{a}{b}', 'Two variables need something between them.'],
    ['resource:pay/file:///{?q}', 'Write {name} for one segment of the URI'],
  ])('%s is no target', async (target, message) => {
    config(`  rules:\n    - { allow: ["${target}"], to: ["*"] }\n`)
    expect(await refusal()).toContain(message)
  })
})

describe('warnings', () => {
  it('name a server that there is not, with its place', async () => {
    config('  rules:\n    - { id: one, allow: ["pya/x", "other/*", "pay/*", "*/*", "app.example/*"], to: ["*"] }\n')
    write(
      'portcullis.yaml',
      `${SERVERS}policy:\n  rules:\n    - { id: one, allow: ["pya/x", "pay/*", "*/*", "app.example/*"], to: ["*"] }\nforwardAuth: { resources: [ { host: app.example } ] }\n`,
    )
    const { warnings } = await load()
    expect(warnings.filter((text) => text.includes('there is no such server'))).toEqual([
      'portcullis.yaml:4:26: the rule one names pya, and there is no such server. Did you mean pay?',
    ])
  })

  it('name one that a limit or a scope is about, which would hold nobody back', async () => {
    write(
      'portcullis.yaml',
      `${SERVERS}limits:\n  - { match: "pya/*", rate: 1/min }\n  - { match: "pay/*", rate: 1/min }\nscopes:\n  "all": { title: a, covers: ["*/*"] }\n  "some": { title: b, requiredFor: ["pay/x", "elsewhere/x"] }\n`,
    )
    const { warnings } = await load()
    expect(warnings.filter((text) => text.includes('there is no such server'))).toEqual([
      'portcullis.yaml:3:7: the limit limit-1 names pya, and there is no such server. Did you mean pay?',
      'portcullis.yaml:7:46: the scope some names elsewhere, and there is no such server.',
    ])
  })
})
