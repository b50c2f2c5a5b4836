// What a thing that nobody lists would be called at its own server.
import { describe, expect, it } from 'vitest'
import { Config, type ConfigInput } from '../../../config/schema.ts'
import { isVirtual, upstreamsOf } from '../../../config/servers.ts'
import { unconnectedOffer } from '../../connect/connect-tool.ts'
import { aggregateView, ownView, virtualView } from './view.ts'

const URL = 'http://127.0.0.1:9/mcp'

function viewsOf(aggregate: ConfigInput['aggregate'] = {}) {
  const config = Config.parse({
    aggregate,
    servers: [
      { id: 'notes', url: URL },
      { id: 'github', url: URL, prefix: 'gh.' },
      { id: 'mixed', tools: ['notes/read_*', { from: 'github/create_issue', name: 'report' }], prompts: ['notes/*'] },
    ],
  })
  const upstreams = upstreamsOf(config.servers)
  const [virtual] = config.servers.filter(isVirtual)
  const [notes] = upstreams
  if (virtual === undefined || notes === undefined) throw new TypeError('They are configured above.')
  return {
    all: aggregateView(upstreams, config.aggregate, 'All'),
    own: ownView(notes),
    virtual: virtualView(
      virtual,
      upstreams.map(({ id }) => id),
    ),
  }
}

describe('the own name of a thing', () => {
  it.each([
    ['notes', 'notes__read', 'read'],
    ['github', 'gh.read', 'read'],
    ['notes', 'gh.read', undefined],
    ['notes', 'read', undefined],
    ['notes', 'notes__', undefined],
  ])('of %s behind everything: %s is %s', (server, name, own) => {
    expect(viewsOf().all.ownName(server, 'tools', name)).toBe(own)
  })

  it('is nobody’s behind everything where names have no prefix', () => {
    expect(viewsOf({ naming: 'none' }).all.ownName('notes', 'tools', 'read')).toBeUndefined()
    expect(viewsOf({ naming: 'conflict' }).all.ownName('notes', 'tools', 'notes__read')).toBe('read')
  })

  it('is its name at the server’s own address', () => {
    expect(viewsOf().own.ownName('notes', 'prompts', 'anything')).toBe('anything')
  })

  it.each([
    ['notes', 'tools', 'read_note', 'read_note'],
    ['notes', 'tools', 'write_note', undefined],
    ['github', 'tools', 'report', 'create_issue'],
    ['github', 'tools', 'create_issue', undefined],
    ['notes', 'tools', 'report', undefined],
    ['notes', 'prompts', 'hello', 'hello'],
    ['github', 'prompts', 'hello', undefined],
  ] as const)('of %s (%s) in a virtual server: %s is %s', (server, kind, name, own) => {
    expect(viewsOf().virtual.ownName(server, kind, name)).toBe(own)
  })
})

it('a virtual server shows the way to connect each server that it draws from', () => {
  const offer = unconnectedOffer({ title: 'X', page: 'https://gate.example/connections' })
  const other = unconnectedOffer({ title: 'Y', page: 'https://gate.example/connections' })
  const known = [
    { server: 'notes', version: 1, offer, failure: 'connection_needed' },
    { server: 'github', version: 1, offer: other, failure: 'connection_needed' },
  ]
  const { lists } = viewsOf().virtual.compose(known)
  expect(lists.tools.map(({ server, name }) => [server, name])).toEqual([
    ['notes', 'connect_account'],
    ['github', 'github_connect_account'],
  ])
})
