// A program that is not there is told of with the setting to change; one that is there is not spoken of.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findProgramFlaw } from './program.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-program-'))
const write = (name: string, mode: number) => writeFileSync(join(folder, name), '#!/bin/sh\n', { mode })
beforeAll(() => {
  write('good', 0o755)
  write('text', 0o644)
  write('script.js', 0o644)
  mkdirSync(join(folder, 'bin'))
  symlinkSync(join(folder, 'good'), join(folder, 'bin/installed'))
  symlinkSync(join(folder, 'text'), join(folder, 'bin/barred'))
  chmodSync(join(folder, 'text'), 0o644)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const env = { PATH: join(folder, 'bin') }

it.each([
  ['Node, which is ours', ['node', 'server.js'], {}],
  ['a path', [join(folder, 'good')], {}],
  ['a path from its folder', ['./good'], { cwd: folder }],
  ['a path from the folder that it is given', ['./good'], {}],
  ['a script, which Node runs', ['./script.js'], {}],
  ['a name on the PATH that it is given', ['installed'], { env }],
])('takes %s', (_, command, own) => {
  expect(findProgramFlaw({ command, env: {}, ...own }, folder)).toBeUndefined()
})

it.each([
  ['a name that nothing has', ['no-such-mcp-server'], {}, 'command', /no program no-such-mcp-server on the PATH/],
  ['a name on another PATH alone', ['installed'], {}, 'command', /no program installed on the PATH/],
  ['a name of what is no program', ['barred'], { env }, 'command', /may not execute .*bin\/barred/],
  ['a path to nothing', ['./nothing'], {}, 'command', /no program .*\/nothing/],
  ['a path to a text', ['./text'], {}, 'command', /may not execute .*\/text/],
  ['a folder', ['./bin'], {}, 'command', /bin is a folder/],
  [
    'a folder to work in that is not there',
    ['node'],
    { cwd: '/no/such/folder' },
    'cwd',
    /no folder \/no\/such\/folder/,
  ],
])('refuses %s', (_, command, own, setting, message) => {
  expect(findProgramFlaw({ command, env: {}, ...own }, folder)).toMatchObject({
    setting,
    message: expect.stringMatching(message),
    remedy: expect.stringMatching(/\.$|chmod/),
  })
})
