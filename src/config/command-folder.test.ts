// Where a program works when its entry does not say.
import { expect, it } from 'vitest'
import { folderBeside } from './command-folder.ts'

const THERE = new Set([
  '/etc/gate/server.js',
  '/etc/gate/data',
  '/etc/gate/node_modules/.bin/local',
  '/etc/gate/bin/tool',
])
const folder = (command: string[], env: Record<string, string> = {}) =>
  folderBeside({ command, env }, '/etc/gate', (path) => THERE.has(path))

it.each([
  [['node', 'server.js']],
  [['node', './later.js']],
  [['node', '../elsewhere.js']],
  [['local']],
  [['bin/tool']],
  [['./bin/later']],
  [['mcp-server-filesystem', 'data']],
])('beside the configuration: %j', (command) => {
  expect(folder(command)).toBe('/etc/gate')
})

it('beside the configuration where a variable names something there', () => {
  expect(folder(['program'], { FILE: './memory.jsonl' })).toBe('/etc/gate')
  expect(folder(['program'], { FILE: 'data' })).toBe('/etc/gate')
})

it.each([
  [['mcp-server-memory']],
  [['node', '/opt/server.js']],
  [['/usr/bin/tool', '--flag', '']],
  [['mcp-server-filesystem', '/srv/data']],
  [['program', '--dir=data']],
])('a folder of its own: %j', (command) => {
  expect(folder(command, { TOKEN: 'abc', EMPTY: '' })).toBeUndefined()
})
