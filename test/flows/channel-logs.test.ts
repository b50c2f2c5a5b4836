// The log of a server over a lasting channel, where each person has a connection of their own: at the level that each client asked for, and
// never another person's. Where callers share one, nobody may ask for it.
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectAsked } from '../support/asked.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import type { Mode } from '../support/sdk.ts'
import { startWholeSocket, startWholeSse, type WholeServer } from '../support/whole-servers.ts'

const MODERN: Mode = { pin: '2026-07-28' }
const AT_DEBUG = { 'io.modelcontextprotocol/logLevel': 'debug' }

let sse: WholeServer
let socket: WholeServer
let gateway: TestGateway
beforeAll(async () => {
  ;[sse, socket] = await Promise.all([startWholeSse(), startWholeSocket()])
  gateway = await startGateway({
    servers: [
      { id: 'sse', url: sse.url, transport: 'sse' },
      { id: 'socket', url: socket.url },
      { id: 'shared', url: socket.url, instances: 'shared' },
    ],
    policy: { rules: [{ allow: ['*/*', 'method:*/*'], to: ['*'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([sse?.close(), socket?.close()])
})

interface Listener {
  readonly client: Client
  /** What came, in order. */
  readonly heard: string[]
  close(): Promise<void>
}

async function connect(server: string, user: typeof ANN, mode: Mode = 'legacy'): Promise<Listener> {
  const host = await connectAsked(gateway.resource(server), await gateway.tokenFor(server, { user }), mode)
  const heard: string[] = []
  host.client.fallbackNotificationHandler = async ({ method }) => void heard.push(method)
  return { ...host, heard }
}
const log = ({ client }: Listener, meta?: object) =>
  client.callTool({ name: 'test_logging_tool', arguments: {}, ...(meta && { _meta: { ...meta } }) })

const LOGGED = 'notifications/message'
const CHANGED = 'notifications/tools/list_changed'

const times = ({ heard }: Listener, method: string): number => heard.filter((each) => each === method).length

/** All connections of the fixture tell of a change, after everything else; a stream that opens late hears of the next one. */
async function everybodyHears(all: readonly Listener[]): Promise<void> {
  const before = all.map((each) => times(each, CHANGED))
  const told = async () => {
    await all[0]?.client.callTool({ name: 'test_trigger_tool_change', arguments: {} })
    return all.map((each, at) => times(each, CHANGED) > (before[at] ?? 0))
  }
  await expect.poll(told).toEqual(all.map(() => true))
}

describe.each(['sse', 'socket'])('a server over %s', (server) => {
  it('is heard in the sessions of the person who calls, from the level on that each has set', async () => {
    const [calling, listening, severe, unasked] = await Promise.all([1, 2, 3, 4].map(() => connect(server, ANN)))
    const bob = await connect(server, BOB)
    const all = [calling, listening, severe, unasked, bob] as Listener[]
    try {
      await Promise.all([calling, listening, bob].map((each) => each?.client.setLoggingLevel('debug')))
      await severe?.client.setLoggingLevel('error')
      await everybodyHears(all)
      // Bob uses the server as well: there is a connection which could be mixed up.
      await log(bob)
      await log(calling as Listener)
      const heard = () => [bob, calling, listening].map((each) => each?.heard.includes(LOGGED))
      await expect.poll(heard).toEqual([true, true, true])
      await everybodyHears(all)
      expect(all.map((each) => times(each, LOGGED))).toEqual([1, 1, 0, 0, 1])
    } finally {
      await Promise.all(all.map((each) => each.close()))
    }
  })

  it('is heard in a call of 2026-07-28 that asks for it, and by nobody else', async () => {
    const [ann, bob] = await Promise.all([connect(server, ANN, MODERN), connect(server, BOB, MODERN)])
    try {
      await log(bob, AT_DEBUG)
      await log(ann)
      expect([ann.heard, bob.heard]).toEqual([[], [LOGGED]])
      await log(ann, AT_DEBUG)
      expect([ann.heard, bob.heard]).toEqual([[LOGGED], [LOGGED]])
    } finally {
      await Promise.all([ann.close(), bob.close()])
    }
  })

  it('says so, and refuses a level that is none', async () => {
    const ann = await connect(server, ANN)
    expect(ann.client.getServerCapabilities()).toHaveProperty('logging')
    await expect(ann.client.setLoggingLevel('loud' as 'debug')).rejects.toThrow()
    await ann.close()
  })
})

it.each(['legacy', MODERN] as const)('at /mcp it is heard in the call that asks for it: %o', async (mode) => {
  const [ann, bob] = await Promise.all([connect('*', ANN, mode), connect('*', BOB, mode)])
  const meta = mode === 'legacy' ? undefined : { _meta: AT_DEBUG }
  try {
    if (mode === 'legacy') await Promise.all([ann, bob].map(({ client }) => client.setLoggingLevel('debug')))
    await ann.client.callTool({ name: 'sse__test_logging_tool', arguments: {}, ...meta })
    await expect.poll(() => times(ann, LOGGED)).toBe(1)
    expect(times(bob, LOGGED)).toBe(0)
  } finally {
    await Promise.all([ann.close(), bob.close()])
  }
})

it('one that callers share does not offer it', async () => {
  const ann = await connect('shared', ANN)
  expect(ann.client.getServerCapabilities()).not.toHaveProperty('logging')
  await expect(ann.client.request({ method: 'logging/setLevel', params: { level: 'debug' } })).rejects.toThrow()
  await ann.close()
})
