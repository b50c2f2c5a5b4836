import { describe, expect, it } from 'vitest'
import { forwardingWarnings } from './forwarding-warnings.ts'
import { Config } from './schema.ts'

const url = 'http://notes/mcp'
const warnings = (document: object) => forwardingWarnings(Config.parse(document))

describe('a start tells of', () => {
  it.each([
    ['a credential', ['Authorization'], /passthrough\.headers names Authorization, .*credential/],
    ['what frames the message', ['content-length'], /names content-length, .*message/],
    ['another spelling', ['X_Tenant'], /names X_Tenant, .*letters, digits and dashes/],
    ['a credential under another name', [{ from: 'Cookie', to: 'X-App' }], /names Cookie/],
    [
      'a name that only the gate may use',
      [{ from: 'X-App', to: 'X-Forwarded-User' }],
      /makes X-Forwarded-User of X-App/,
    ],
  ])('%s in a list', (_what, headers, said) => {
    const told = warnings({ passthrough: { headers } })
    expect(told).toEqual([expect.stringMatching(said)])
    const own = warnings({ servers: [{ id: 'notes', url, passthroughHeaders: headers }] })
    expect(own).toEqual([told[0]?.replace('passthrough.headers', 'servers.notes.passthroughHeaders')])
  })

  it('headers for a child process', () => {
    const child = { id: 'files', command: ['x'], identity: { headers: true }, passthroughHeaders: ['X-A'] }
    expect(warnings({ servers: [child] })).toEqual([
      expect.stringContaining('servers.files.identity.headers has no effect'),
      expect.stringContaining('servers.files.passthroughHeaders has no effect'),
    ])
  })

  it('an assertion for a child process that is told nothing', () => {
    const child = { id: 'files', command: ['x'], identity: { jwt: true, meta: false } }
    expect(warnings({ servers: [child] })).toEqual([
      expect.stringContaining('servers.files.identity.jwt has no effect'),
    ])
  })

  it('nothing else', () => {
    const headers = ['X-Tenant-Id', 'X-Forwarded-User', { from: 'X-Groups', to: 'X-Teams-Of-Caller' }, 'X-Request-Id']
    const servers = [
      { id: 'notes', url, passthroughHeaders: { allExcept: ['Cookie'] } },
      { id: 'files', command: ['x'], identity: { jwt: true, meta: true } },
      { id: 'more', command: ['x'], identity: { jwt: true } },
    ]
    expect(warnings({ passthrough: { headers }, servers })).toEqual([])
  })
})
