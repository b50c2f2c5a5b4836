// A server as one caller reaches it: what lies over what, and when it is made anew.
import { describe, expect, it } from 'vitest'
import type { RpcMessage } from '../protocol/jsonrpc.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { type Bound, createBinding } from './binding.ts'
import type { Caller } from './caller.ts'
import { ConnectionNeeded } from './credential.ts'
import { IDENTITY_KEY, UNTOLD } from './identity/meta.ts'
import type { Told } from './identity/tell.ts'
import type { ChannelCall, ChannelUpstream, Given, RemoteUpstream } from './upstream.ts'

const ann: Principal = { ...ANONYMOUS, kind: 'person', subject: 'ann', method: 'access_token' }
const caller = (principal = ann): Caller => ({ principal, rawHeaders: [] })
/** A gate that says whose places are taken. */
const gate = { of: (whose: string) => ({ whose }) }
const remote = { kind: 'remote', id: 'notes', path: '/mcp?a=1', addedHeaders: {}, gate } as unknown as RemoteUpstream
const members = { [IDENTITY_KEY]: { user: 'ann' } }
const tellingAnn: Told = {
  headers: { 'x-forwarded-user': 'ann', authorization: 'told' },
  meta: { reserved: UNTOLD.reserved, members, text: JSON.stringify(members).slice(1, -1) },
}

function bindingWith(part: Partial<Bound>) {
  const credential = { personal: false, given: (): Given => ({ headers: {} }) }
  const parts = new Map([['notes', { credential, personalLists: false, ...part }]])
  return createBinding(parts, { get: () => remote }, () => undefined)
}
const reached = (part: Partial<Bound>, who: Caller | undefined = caller()) =>
  bindingWith(part).bind(remote, who) as RemoteUpstream

describe('a remote server', () => {
  const given: Given = { headers: { authorization: 'Bearer ours' }, query: 'key=1' }
  const credential = { personal: true, given: () => given }
  const passthrough = () => ({ 'x-tenant-id': 'acme', 'x-forwarded-user': 'root', authorization: 'theirs' })

  it('gets what passes through, over it who calls, and the credential over both', () => {
    const { addedHeaders, path, personal, meta } = reached({ credential, passthrough, identity: () => tellingAnn })
    expect(addedHeaders).toEqual({
      'x-tenant-id': 'acme',
      'x-forwarded-user': 'ann',
      authorization: 'Bearer ours',
    })
    expect([path, personal, meta]).toEqual(['/mcp?a=1&key=1', true, tellingAnn.meta])
  })

  it('is told of nobody where the gate asks for itself', () => {
    const { addedHeaders, meta } = bindingWith({ credential, passthrough, identity: () => tellingAnn }).bind(
      remote,
      undefined,
    ) as RemoteUpstream
    expect([addedHeaders, meta]).toEqual([given.headers, undefined])
  })

  it('is the same object for the same caller while nothing changes', () => {
    const now = { told: tellingAnn, given }
    const binding = bindingWith({ credential: { personal: true, given: () => now.given }, identity: () => now.told })
    const first = binding.bind(remote, caller())
    expect(binding.bind(remote, caller())).toBe(first)
    expect(binding.bind(remote, caller({ ...ann }))).not.toBe(first)
    now.told = { ...tellingAnn, headers: { 'x-forwarded-user': 'ann2' } }
    const second = binding.bind(remote, caller()) as RemoteUpstream
    expect(second.addedHeaders).toMatchObject({ 'x-forwarded-user': 'ann2' })
    now.given = { headers: { authorization: 'Bearer newer' } }
    expect((binding.bind(remote, caller()) as RemoteUpstream).addedHeaders).toMatchObject({
      authorization: 'Bearer newer',
    })
  })

  it('is reached within the caller’s share of its places, whatever is added for them', () => {
    const none = createBinding(new Map(), { get: () => remote }, () => undefined)
    for (const binding of [none, bindingWith({ credential }), bindingWith({ passthrough })]) {
      const whose = (who: Caller) => (binding.bind(remote, who) as RemoteUpstream).gate
      expect(whose(caller())).toEqual({ whose: 'ann' })
      // Who has not signed in is counted by the network that they come from.
      const from = (address: string) => whose({ ...caller(ANONYMOUS), address })
      expect([from('192.0.2.1'), from('192.0.2.2'), from('192.0.2.2')]).toEqual([
        { whose: 'anonymous\u0000192.0.2.1' },
        { whose: 'anonymous\u0000192.0.2.2' },
        { whose: 'anonymous\u0000192.0.2.2' },
      ])
      expect(from('2001:db8:1:2:3::4')).toEqual(from('2001:db8:1:2:ffff::1'))
      // What the gate asks for itself is nobody's.
      expect((binding.bind(remote, undefined) as RemoteUpstream).gate).toBe(gate)
    }
    const first = none.bind(remote, caller())
    expect(none.bind(remote, caller())).toBe(first)
  })

  it('is another with each request that brings something along', () => {
    const tenants = ['a', 'b']
    const binding = bindingWith({ passthrough: () => ({ 'x-tenant-id': tenants.shift() ?? '' }) })
    const [one, two] = [binding.bind(remote, caller()), binding.bind(remote, caller())] as RemoteUpstream[]
    expect([one?.addedHeaders, two?.addedHeaders]).toEqual([{ 'x-tenant-id': 'a' }, { 'x-tenant-id': 'b' }])
  })
})

describe('a channel', () => {
  function channelWith() {
    const sent: RpcMessage[] = []
    const calls: ChannelCall[] = []
    const granted: unknown[] = []
    const channel = {
      kind: 'channel',
      id: 'notes',
      requestTimeout: 1,
      async request(message: RpcMessage, options: ChannelCall) {
        sent.push(message)
        calls.push(options)
        return { jsonrpc: '2.0', id: 1, result: {} }
      },
      notify: (message: RpcMessage) => void sent.push(message),
      instanceFor(_caller: Caller, { told }: { told: unknown }) {
        granted.push(told)
        return channel
      },
    } as unknown as ChannelUpstream
    return { channel, sent, calls, granted }
  }
  const options = { signal: new AbortController().signal, onNotification: () => undefined, headers: { 'x-own': '1' } }

  it('says in each message whose it is, and takes out what a caller forged', async () => {
    const { channel, sent, calls, granted } = channelWith()
    const binding = bindingWith({ passthrough: () => ({ 'x-tenant-id': 'acme' }), identity: () => tellingAnn })
    const bound = binding.bind(channel, caller()) as ChannelUpstream
    const _meta = { 'IO.portcullis/identity': { user: 'root' }, kept: 1 }
    await bound.request({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x', _meta } }, options)
    bound.notify({ jsonrpc: '2.0', method: 'notifications/x', params: { _meta } })
    expect(sent).toEqual([
      { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x', _meta: { kept: 1, ...members } } },
      { jsonrpc: '2.0', method: 'notifications/x', params: { _meta: { kept: 1 } } },
    ])
    expect(calls[0]?.headers).toEqual({ 'x-own': '1', 'x-tenant-id': 'acme', ...tellingAnn.headers })
    // A connection lasts: it is opened knowing who calls, and nothing of one request.
    expect(granted).toEqual([tellingAnn.headers])
  })

  it('gets what passes through where it is told of nobody, too', async () => {
    const { channel, calls, granted } = channelWith()
    const binding = bindingWith({ passthrough: () => ({ 'x-tenant-id': 'acme' }) })
    const bound = binding.bind(channel, caller()) as ChannelUpstream
    await bound.request({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, options)
    expect(calls[0]?.headers).toEqual({ 'x-own': '1', 'x-tenant-id': 'acme' })
    expect(granted).toEqual([{}])
  })

  it('ends with the connection that it was made with', () => {
    const ended: string[] = []
    const channel = { kind: 'channel', id: 'notes', endInstance: (subject: string) => ended.push(subject) }
    const given = (): Given => {
      throw new ConnectionNeeded('notes', 'not_connected')
    }
    const part = { credential: { personal: true, given }, personalLists: false }
    const get = () => channel as unknown as ChannelUpstream
    const binding = createBinding(new Map([['notes', part]]), { get }, () => undefined)
    expect(() => binding.bind(get(), caller())).toThrow(ConnectionNeeded)
    expect(() => binding.bind(get(), undefined)).toThrow(ConnectionNeeded)
    expect(ended).toEqual(['ann'])
  })

  it('that nobody is named to gets messages as they are, in the caller’s share of its places', async () => {
    const none = createBinding(new Map(), { get: () => undefined }, () => undefined)
    for (const binding of [none, bindingWith({})]) {
      const { channel, sent, calls } = channelWith()
      const bound = binding.bind(channel, caller()) as ChannelUpstream
      const message = { jsonrpc: '2.0' as const, id: 1, method: 'tools/list' }
      await bound.request(message, options)
      expect([sent, calls]).toEqual([[message], [{ ...options, whose: 'ann' }]])
    }
  })

  it('is the one it was where the gate asks for itself, and the same for the same caller', () => {
    const { channel } = channelWith()
    const none = createBinding(new Map(), { get: () => undefined }, () => undefined)
    expect(none.bind(channel, undefined)).toBe(channel)
    expect(none.bind(channel, caller())).toBe(none.bind(channel, caller()))
    expect(bindingWith({ identity: () => tellingAnn }).bind(channel, undefined)).toBe(channel)
  })
})
