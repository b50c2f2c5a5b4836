// Settings of a lasting channel that ask for what cannot be.
import { describe, expect, it } from 'vitest'
import { checkChannels } from './channels.ts'
import { servers } from './servers.ts'

const flaws = (entry: object) =>
  checkChannels({ servers: servers.parse([{ id: 'one', ...entry }]) }).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  )

const program = { command: ['x'], credentials: { type: 'secret' } }
const http = { url: 'https://mcp.example.com/mcp' }

describe('is refused:', () => {
  it.each<readonly [string, object, RegExp]>([
    ['instances of what does not last', { ...http, instances: 'pool' }, /servers\.0\.instances: .*nothing lasts/],
    ['a credential nobody is told', program, /servers\.0\.credentials: .*not be told/],
    ['a variable without a credential', { command: ['x'], credentialEnv: 'TOKEN' }, /credentialEnv: There is no/],
    [
      'an address to add to',
      { command: ['x'], credentials: { type: 'query', parameter: 'key', value: 'v' }, credentialEnv: 'K' },
      /no address/,
    ],
    [
      'two values for one variable',
      { command: ['x'], credentials: { type: 'headers', headers: { 'X-A': 'a', 'X-B': 'b' } }, credentialEnv: 'K' },
      /One variable/,
    ],
    ['a variable twice', { ...program, credentialEnv: 'TOKEN', env: { TOKEN: 'x' } }, /written under env/],
    ...['LD_PRELOAD', 'NODE_OPTIONS', 'PATH', 'PYTHONPATH', 'BASH_ENV', 'GIT_SSH_COMMAND'].map(
      (name) => [`${name} by whoever pastes a secret`, { ...program, credentialEnv: name }, /tells others/] as const,
    ),
    [
      'a person’s credential for all',
      { ...program, credentialEnv: 'T', instances: 'shared' },
      /instances: Each caller/,
    ],
    [
      'a person’s credential for a few',
      { url: 'wss://mcp.example.com/', credentials: { type: 'caller' }, instances: 'pool' },
      /instances: Each caller/,
    ],
  ])('%s', (_what, entry, said) => {
    expect(flaws(entry)).toEqual([expect.stringMatching(said)])
  })
})

describe('is taken:', () => {
  it.each([
    ['a program without a credential', { command: ['x'], instances: 'pool' }],
    ['a credential of each caller', { ...program, credentialEnv: 'GITHUB_TOKEN' }],
    ['one credential for all', { ...http, transport: 'sse', instances: 'shared' }],
    ['an address of a WebSocket', { url: 'wss://mcp.example.com/', instances: 'per-principal' }],
    [
      'our own credential for a shared program',
      {
        command: ['x'],
        credentials: { type: 'headers', headers: { 'X-A': 'a' } },
        credentialEnv: 'K',
        instances: 'shared',
      },
    ],
  ])('%s', (_what, entry) => {
    expect(flaws(entry)).toEqual([])
  })
})
