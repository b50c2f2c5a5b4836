// Streams of servers are opened as whoever listens, each time anew: with a credential that was renewed, and when an account is connected.
import { afterEach, expect, it } from 'vitest'
import { ANONYMOUS } from '../../../protocol/principal.ts'
import type { Caller } from '../../../upstreams/caller.ts'
import { ConnectionNeeded } from '../../../upstreams/credential.ts'
import type { RemoteUpstream } from '../../../upstreams/upstream.ts'
import { createBridge } from '../../bridge/call.ts'
import { createAccountChanges } from './account-changes.ts'
import { until } from './fan-in.support.ts'
import { startModernServer } from './scripted.support.ts'
import { createServerSources } from './server-sources.ts'
import { listeningSource } from './sources.ts'

const opened: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})
const needs = { eraOf: async () => 'modern' as const, mostBytes: 65_536, waits: { first: 10, most: 20 } }
const caller = (subject: string): Caller => ({ principal: { ...ANONYMOUS, kind: 'person', subject }, rawHeaders: [] })

async function start() {
  const server = await startModernServer('a')
  opened.push(server)
  const stop = new AbortController()
  opened.push({ close: async () => stop.abort() })
  return { server, stop }
}

it('with the credential of the moment, after each break', async () => {
  const { server, stop } = await start()
  const bound: string[] = []
  const get = (): RemoteUpstream => {
    bound.push(`Bearer ${bound.length}`)
    return { ...server.upstream, addedHeaders: { authorization: bound.at(-1) ?? '' } }
  }
  const run = listeningSource(needs, { server: 'a', get }, []).run(() => undefined, stop.signal)
  for (let times = 1; times <= 3; times++) {
    await until(() => server.opened === times && server.streams.size === 1)
    for (const stream of server.streams) stream.end()
  }
  stop.abort()
  await run
  expect(bound.slice(0, 3)).toEqual(['Bearer 0', 'Bearer 1', 'Bearer 2'])
})

it('as soon as there is an account, and not before', async () => {
  const { server, stop } = await start()
  let tries = 0
  const get = async (): Promise<RemoteUpstream> => {
    tries += 1
    if (tries < 4) throw new ConnectionNeeded('a', 'not_connected')
    return server.upstream
  }
  const run = listeningSource(needs, { server: 'a', get }, []).run(() => undefined, stop.signal)
  await until(() => server.streams.size === 1)
  expect([tries, server.opened]).toEqual([4, 1])
  stop.abort()
  await run
})

it('ends with a mistake of ours, which is no account that is missing', async () => {
  const { stop } = await start()
  const get = (): RemoteUpstream => {
    throw new TypeError('ours')
  }
  await expect(listeningSource(needs, { server: 'a', get }, []).run(() => undefined, stop.signal)).rejects.toThrow(
    'ours',
  )
})

it('one for all where the server lists for everybody, asked for as nobody; one for each where it lists apart', async () => {
  const { server } = await start()
  const reached: (string | undefined)[] = []
  const sources = (apart: boolean) =>
    createServerSources({
      ...needs,
      accounts: createAccountChanges(),
      listenAs: createBridge({ report: () => undefined, clock: Date.now }).listenAs,
      contextOf: (_, { principal }) => (apart ? principal.subject : undefined),
      reach(_, asking) {
        reached.push(asking?.principal.subject)
        return server.upstream
      },
    })
  for (const apart of [false, true]) {
    reached.splice(0)
    const of = sources(apart)
    const stop = new AbortController()
    const before = server.opened
    const runs = [caller('ann'), caller('bob')].map((each) =>
      of.ofLists(server.upstream, each, {}).run(() => undefined, stop.signal),
    )
    await until(() => server.opened === before + (apart ? 2 : 1))
    expect(new Set(reached)).toEqual(apart ? new Set(['ann', 'bob']) : new Set([undefined]))
    stop.abort()
    await Promise.all(runs)
  }
})
