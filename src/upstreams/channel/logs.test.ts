// The log of one caller's own instance: who hears it, and which level the server is told.
import { describe, expect, it } from 'vitest'
import type { RpcNotification } from '../../protocol/jsonrpc.ts'
import { UpstreamError } from '../upstream.ts'
import { createChannel } from './channel.ts'
import { createLogs } from './logs.ts'
import type { Ears, Transport } from './transport.ts'

const said = (level: string, method = 'notifications/message'): RpcNotification => ({
  jsonrpc: '2.0',
  method,
  params: { level, data: 'x' },
})
const silence = () => undefined

describe('a message of the log', () => {
  it('goes to the oldest call that asked for one so severe', () => {
    const [logs, heard] = [createLogs(), [] as string[]]
    const begin = (name: string, level: string) => logs.begin({ level, hear: () => void heard.push(name) })
    const endFirst = begin('first', 'warning')
    begin('second', 'debug')
    logs.accept(said('error'))
    logs.accept(said('info'))
    endFirst()
    logs.accept(said('error'))
    expect(heard).toEqual(['first', 'second', 'second'])
  })

  it('of no level, and what is no message of the log, goes to none', () => {
    const [logs, heard] = [createLogs(), [] as unknown[]]
    logs.begin({ level: 'debug', hear: (message) => void heard.push(message) })
    logs.accept(said('loud'))
    logs.accept(said('error', 'notifications/other'))
    expect(heard).toEqual([])
  })
})

/** Keeps the levels that it was told; each channel that is opened begins anew. */
function openChannel({ personal = true, capabilities = { logging: {} } as object } = {}) {
  const opened: string[][] = []
  function open(ears: Ears): Transport {
    const levels: string[] = []
    opened.push(levels)
    const ended = Promise.withResolvers<UpstreamError>()
    return {
      ready: Promise.resolve(),
      send(message) {
        if (!('id' in message && 'method' in message)) return undefined
        const { id, method, params } = message
        if (method === 'logging/setLevel') levels.push(String(params?.['level']))
        if (method === 'says') ears.receive(JSON.stringify(said('info')))
        const result = method === 'initialize' ? { protocolVersion: '2025-11-25', capabilities, serverInfo: {} } : {}
        ears.receive(JSON.stringify({ jsonrpc: '2.0', id, result }))
        return undefined
      },
      ended: ended.promise,
      stop: async () => ended.resolve(new UpstreamError('exited', 'It was stopped.')),
    }
  }
  const channel = createChannel(
    { id: 'one', requestTimeout: 10_000, idleTimeout: 10_000 },
    {
      open,
      personal,
      declares: personal,
      admit: silence,
      granted: () => ({ given: { headers: {} }, told: {} }),
      renewed: async () => false,
      log: { debug: silence, info: silence, warn: silence },
      clock: () => 0,
      onJunk: silence,
      report: silence,
    },
  )
  const heard: RpcNotification[] = []
  const call = (level?: string) =>
    channel.request(
      { jsonrpc: '2.0', id: 1, method: 'says' },
      {
        signal: new AbortController().signal,
        onNotification: silence,
        logs: level === undefined ? undefined : { level, hear: (message) => void heard.push(message) },
      },
    )
  return { channel, opened, heard, call }
}

describe('a server that is one caller’s own', () => {
  it('is told the least severe level that was asked for, once, and again when it is opened anew', async () => {
    const { channel, opened, call } = openChannel()
    await call()
    expect(opened).toEqual([[]])
    await call('warning')
    await channel.wantLogs?.('info')
    await call('error')
    await call()
    channel.renew()
    await call()
    expect(opened).toEqual([['warning', 'info'], ['info']])
    await channel.close()
  })

  it('is heard during calls that ask for its log, and in no other', async () => {
    const { channel, heard, call } = openChannel()
    await call('info')
    expect(heard).toEqual([said('info')])
    await call('error')
    await call()
    expect(heard).toHaveLength(1)
    await channel.close()
  })

  it('is told nothing where it knows no log level', async () => {
    const { channel, opened, call } = openChannel({ capabilities: {} })
    await call('debug')
    expect(opened).toEqual([[]])
    await channel.close()
  })
})

it('a server that callers share is told no level, and its log is nobody’s', async () => {
  const { channel, opened, heard, call } = openChannel({ personal: false })
  await call('debug')
  expect(channel.wantLogs).toBeUndefined()
  expect([opened, heard]).toEqual([[[]], []])
  await channel.close()
})
