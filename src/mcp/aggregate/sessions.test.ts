// Sessions at several servers at once: whose they are, where they open, what becomes of those at the servers. Two replicas over one store.
import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { ANONYMOUS } from '../../protocol/principal.ts'
import { openStore } from '../../store/open.ts'
import type { Store } from '../../store/store.ts'
import type { SealKey } from '../../tokens/seal.ts'
import type { RemoteUpstream } from '../../upstreams/upstream.ts'
import type { ClientHello } from '../bridge/hello.ts'
import { error, type HandshakeServer, json, startHandshakeServer } from '../bridge/servers.support.ts'
import type { SessionPlace } from '../session.ts'
import { type AggregateSession, createAggregateSessions } from './sessions.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const HELLO: ClientHello = {
  revision: '2025-06-18',
  capabilities: { sampling: {}, roots: { listChanged: true }, tasks: {}, experimental: { x: {} } },
  clientInfo: { name: 'c', version: '1' },
}
const ANN: SessionPlace = { subject: 'ann', server: '/mcp' }
const OWNER = { ...ANONYMOUS, subject: 'ann' }
const NEVER = new AbortController().signal
const HOUR = 3_600_000
const notFound = expect.objectContaining({ name: 'RpcError', status: 404, reason: 'session_not_found' })

interface Setup {
  readonly servers?: readonly HandshakeServer[]
  readonly wrap?: (rows: Store['ephemeral']['clientSessions']) => Store['ephemeral']['clientSessions']
}

async function setup({ servers = [], wrap = (rows) => rows }: Setup = {}) {
  const store = await openStore({ url: 'sqlite::memory:', directory: '.' })
  closing.push(() => store.close(), ...servers.map(({ close }) => close))
  const state = {
    now: 1_800_000_000_000,
    keys: [{ key: randomBytes(32) }] as SealKey[],
    joined: [] as string[],
    reached: [] as string[],
  }
  const known = new Map<string, RemoteUpstream>(servers.map(({ upstream }) => [upstream.id, upstream]))
  const replica = () =>
    createAggregateSessions({
      sealKeys: () => state.keys,
      rows: wrap(store.ephemeral.clientSessions),
      reach(id, caller) {
        state.reached.push(`${id} ${caller?.principal.subject}`)
        return known.get(id)
      },
      clock: () => state.now,
      onError(error) {
        throw error
      },
      async onJoined(session, upstream, joined) {
        state.joined.push(`${session.id} ${upstream.id} ${joined.id}`)
      },
    })
  const one = replica()
  const begun = async (place = ANN, hello = HELLO) => one.open(place, await one.begin(place, hello), OWNER)
  return { one, two: replica(), replica, state, store, begun }
}

const handshake = (given = {}) => startHandshakeServer(given)
const call = (nonce: string) => ({
  message: { jsonrpc: '2.0' as const, id: 1, method: 'tools/call', params: { name: 'echo', arguments: { nonce } } },
  signal: NEVER,
})
const LIST = { message: { jsonrpc: '2.0' as const, id: 1, method: 'tools/list' }, signal: NEVER }

describe('a session', () => {
  it('opens on every replica, for its person at its address, with what the client said', async () => {
    const { one, two } = await setup()
    const id = await one.begin(ANN, HELLO)
    for (const replica of [one, two, one])
      expect(await replica.open(ANN, id, OWNER)).toMatchObject({
        sealedId: id,
        subject: 'ann',
        place: ANN,
        hello: HELLO,
        logLevel: undefined,
      })
  })

  it('E12 E13 opens nothing for another person, nor at another address', async () => {
    const { one, two } = await setup()
    const id = await one.begin(ANN, HELLO)
    const strangers = [
      { subject: 'bob', server: '/mcp' },
      { subject: 'ann', server: 'support' },
      { subject: 'ann\0/mcp', server: '' },
      { subject: 'anonymous', server: '/mcp' },
    ]
    for (const replica of [one, two]) {
      for (const place of strangers) await expect(replica.open(place, id, OWNER)).rejects.toEqual(notFound)
      expect((await replica.open(ANN, id, OWNER)).subject).toBe('ann')
      // Also from a replica that has it in mind.
      for (const place of strangers) await expect(replica.open(place, id, OWNER)).rejects.toEqual(notFound)
    }
  })

  it('E11 has an id of which nothing can be guessed: 10,000 of them', async () => {
    const { one, begun } = await setup({
      wrap: (rows) => ({ ...rows, begin: async () => [] }),
    })
    const ids = await Promise.all(Array.from({ length: 10_000 }, () => one.begin(ANN, HELLO)))
    expect(new Set(ids).size).toBe(10_000)
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{80,}$/)
    // Bits 0 and 1 come alike often in each place of a nonce of 96 bits and of the sealed text behind it.
    const ones = Array.from({ length: 28 * 8 }, () => 0)
    for (const id of ids) {
      const bytes = Buffer.from(id, 'base64url')
      for (let bit = 0; bit < ones.length; bit++)
        ones[bit] = (ones[bit] ?? 0) + (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1)
    }
    // Seven standard deviations of 10,000 fair coins.
    for (const count of ones) expect(Math.abs(count - 5000)).toBeLessThan(350)
    const ordered = ids.toSorted()
    const inOrder = ids.filter((id, at) => id === ordered[at]).length
    expect(inOrder).toBeLessThan(100)
    await expect(begun()).rejects.toEqual(notFound)
  })

  it.each<[string, (id: string) => string]>([
    ['changed', (id) => (id.startsWith('A') ? `B${id.slice(1)}` : `A${id.slice(1)}`)],
    ['cut', (id) => id.slice(0, -2)],
    ['longer', (id) => `${id}AA`],
    ['padded', (id) => `${id}=`],
    ['empty', () => ''],
    ['of ten kilobytes', () => 'A'.repeat(10_000)],
  ])('whose id is %s is unknown', async (_what, forge) => {
    const { one, two } = await setup()
    const id = await one.begin(ANN, HELLO)
    for (const replica of [one, two]) await expect(replica.open(ANN, forge(id), OWNER)).rejects.toEqual(notFound)
    expect(await two.open(ANN, id, OWNER)).toMatchObject({ sealedId: id })
  })

  it('that has ended is ended here at once, and elsewhere within the promise of five seconds', async () => {
    const { one, two, state } = await setup()
    const id = await one.begin(ANN, HELLO)
    const other = await one.begin(ANN, HELLO)
    await two.open(ANN, id, OWNER)
    await one.end(await one.open(ANN, id, OWNER))
    await expect(one.open(ANN, id, OWNER)).rejects.toEqual(notFound)
    state.now += 5000
    await expect(two.open(ANN, id, OWNER)).rejects.toEqual(notFound)
    expect(await two.open(ANN, other, OWNER)).toBeDefined()
  })

  it('is not looked up again while it is fresh', async () => {
    let looked = 0
    const { one, state } = await setup({
      wrap: (rows) => ({
        ...rows,
        find(id, now) {
          looked++
          return rows.find(id, now)
        },
      }),
    })
    const id = await one.begin(ANN, HELLO)
    for (let at = 0; at < 5; at++) await one.open(ANN, id, OWNER)
    expect(looked).toBe(1)
    state.now += 4000
    await one.open(ANN, id, OWNER)
    expect(looked).toBe(2)
  })

  it('lives as long as it is used, at most a week, and ends after a night of silence', async () => {
    const { one, two, state } = await setup()
    const id = await one.begin(ANN, HELLO)
    const silent = await one.begin(ANN, HELLO)
    for (let hours = 0; hours < 167; hours += 7) {
      expect(await (hours % 2 === 0 ? one : two).open(ANN, id, OWNER)).toBeDefined()
      state.now += 7 * HOUR
    }
    // A week: 168 hours.
    await expect(one.open(ANN, id, OWNER)).rejects.toEqual(notFound)
    await expect(two.open(ANN, silent, OWNER)).rejects.toEqual(notFound)
  })

  it('is in use as long as its client listens', async () => {
    const { one, begun, state } = await setup()
    const [listening, silent] = [await begun(), await begun()]
    const release = [one.hold(listening), one.hold(listening)]
    for (let hours = 0; hours < 24; hours++) {
      if (hours === 20) for (const end of release) end()
      await one.sweep()
      state.now += HOUR
    }
    expect(await one.open(ANN, listening.sealedId, OWNER)).toBeDefined()
    await expect(one.open(ANN, silent.sealedId, OWNER)).rejects.toEqual(notFound)
    state.now += 8 * HOUR
    await one.sweep()
    await expect(one.open(ANN, listening.sealedId, OWNER)).rejects.toEqual(notFound)
  })

  it('survives a new key, and dies with its own', async () => {
    const { one, two, replica, state } = await setup()
    const id = await one.begin(ANN, HELLO)
    state.keys = [{ key: randomBytes(32) }, ...state.keys]
    expect(await two.open(ANN, id, OWNER)).toBeDefined()
    state.keys = state.keys.slice(0, 1)
    await expect(replica().open(ANN, id, OWNER)).rejects.toEqual(notFound)
  })

  it('ends when its person has begun a hundred others; those of others, and of nobody, do not', async () => {
    const server = await handshake()
    const { one, state, begun } = await setup({ servers: [server] })
    const first = await begun()
    state.now += 1
    const [bob, nobody] = [await begun({ ...ANN, subject: 'bob' }), await begun({ ...ANN, subject: ANONYMOUS.subject })]
    await one.upstreamSession(first, server.upstream, NEVER)
    for (let at = 0; at < 100; at++) await one.begin(ANN, HELLO)
    for (let at = 0; at < 100; at++) await one.begin(nobody.place, HELLO)
    await expect.poll(() => server.sessions.size).toBe(0)
    for (const { place, sealedId } of [bob, nobody]) expect(await one.open(place, sealedId, OWNER)).toBeDefined()
  })
})

describe('its session at a server', () => {
  it('is opened at the first use, once, as the client and with what it can be asked', async () => {
    const server = await handshake()
    const { one, state, begun } = await setup({ servers: [server] })
    const session = await begun()
    expect(server.seen).toHaveLength(0)
    const opened = await Promise.all(
      Array.from({ length: 20 }, () => one.upstreamSession(session, server.upstream, NEVER)),
    )
    expect(new Set(opened).size).toBe(1)
    expect(server.sessions.size).toBe(1)
    const [[id, begunThere] = []] = server.sessions
    const params = begunThere?.params
    expect(opened[0]).toEqual({ id, revision: '2025-06-18', capabilities: { tools: {}, logging: {} } })
    expect(params).toMatchObject({
      protocolVersion: '2025-06-18',
      capabilities: { sampling: {}, roots: { listChanged: true } },
      clientInfo: { name: 'c', version: '1' },
    })
    expect(Object.keys(params?.['capabilities'] as object)).toEqual(['sampling', 'roots'])
    expect(state.joined).toEqual([`${session.id} a ${id}`])
    expect(one.opened(session).get('a')).toEqual(opened[0])
  })

  it('is of the revision that the server settles on', async () => {
    const server = await handshake({ revision: '2025-03-26' })
    const { one, begun } = await setup({ servers: [server] })
    expect(await one.upstreamSession(await begun(), server.upstream, NEVER)).toMatchObject({ revision: '2025-03-26' })
  })

  it('is the same on every replica, whoever opens it first, and also after all have forgotten', async () => {
    const server = await handshake()
    const { one, two, replica, state, begun } = await setup({ servers: [server] })
    const session = await begun()
    const elsewhere = await two.open(ANN, session.sealedId, OWNER)
    const opened = await Promise.all([
      one.upstreamSession(session, server.upstream, NEVER),
      two.upstreamSession(elsewhere, server.upstream, NEVER),
    ])
    expect(opened[0]).toEqual(opened[1])
    await expect.poll(() => [...server.sessions.keys()]).toEqual([opened[0].id])
    state.now += 5000
    const three = replica()
    expect(three.opened(await three.open(ANN, session.sealedId, OWNER)).get('a')).toEqual(opened[0])
  })

  it('lies in the store sealed', async () => {
    const server = await handshake()
    const { one, store, begun } = await setup({ servers: [server] })
    const session = await begun()
    const { id } = await one.upstreamSession(session, server.upstream, NEVER)
    const found = await store.ephemeral.clientSessions.find(session.id, 0)
    expect(found?.legs).toHaveLength(1)
    expect(JSON.stringify(found)).not.toContain(id)
    expect(JSON.stringify(found)).not.toContain(session.sealedId)
  })

  it("E12 E14 is never another session's: 100 people with equal ids, each its own nonce", async () => {
    const servers = [await handshake({ id: 'a' }), await handshake({ id: 'b' })]
    const { one, two } = await setup({ servers })
    const sessions = await Promise.all(
      Array.from({ length: 100 }, async (_, at) => {
        const place = { subject: `p${at}`, server: '/mcp' }
        return { place, id: await one.begin(place, HELLO) }
      }),
    )
    const used = new Map<string, Set<number>>()
    await Promise.all(
      Array.from({ length: 800 }, async (_, at) => {
        const round = Math.floor(at / 100)
        const [replica, server] = [round % 2 === 0 ? one : two, servers[round % 4 < 2 ? 0 : 1]]
        const { place, id } = sessions[at % 100] ?? sessions[0] ?? expect.fail()
        if (server === undefined) expect.fail()
        const session = await replica.open(place, id, OWNER)
        const { result, id: answered } = await replica.ask(session, server.upstream, call(`n${at}`))
        const told = (result as { structuredContent: { session: string; args: unknown } }).structuredContent
        expect([told.args, answered]).toEqual([{ nonce: `n${at}` }, 1])
        used.set(told.session, (used.get(told.session) ?? new Set()).add(at % 100))
      }),
    )
    for (const people of used.values()) expect(people.size).toBe(1)
    expect(used.size).toBe(200)
  })

  it('ends with the session, on whichever replica that ends', async () => {
    const servers = [await handshake({ id: 'a' }), await handshake({ id: 'b' })]
    const { one, two, begun } = await setup({ servers })
    const [session, other] = [await begun(), await begun()]
    for (const { upstream } of servers) await one.upstreamSession(session, upstream, NEVER)
    const kept = await one.upstreamSession(other, servers[0]?.upstream ?? expect.fail(), NEVER)
    await two.end(await two.open(ANN, session.sealedId, OWNER))
    await expect.poll(() => servers.map(({ sessions }) => sessions.size)).toEqual([1, 0])
    expect([...(servers[0]?.sessions.keys() ?? [])]).toEqual([kept.id])
  })

  it('ends when the session has idled, once, and without the servers that are gone', async () => {
    const servers = [await handshake({ id: 'a' }), await handshake({ id: 'b' })]
    const { one, two, state, begun } = await setup({ servers: servers.slice(0, 1) })
    const gone = servers[1] ?? expect.fail()
    closing.push(gone.close)
    const session = await begun()
    for (const { upstream } of servers) await one.upstreamSession(session, upstream, NEVER)
    state.now += 8 * HOUR - 1
    await Promise.all([one.sweep(), two.sweep()])
    expect(servers[0]?.sessions.size).toBe(1)
    state.now += 1
    await Promise.all([one.sweep(), two.sweep()])
    await expect.poll(() => servers[0]?.sessions.size).toBe(0)
    expect(servers[0]?.seen.filter(({ method }) => method === 'DELETE')).toHaveLength(1)
    expect(gone.sessions.size).toBe(1)
  })

  it('ends when its person has another account at the server, as them, on every replica, and nobody else’s', async () => {
    const servers = [await handshake(), await handshake({ id: 'b' })]
    const [a, b] = [servers[0]?.upstream ?? expect.fail(), servers[1]?.upstream ?? expect.fail()]
    const { one, two, state, begun } = await setup({ servers })
    const [session, bobs] = [await begun(), await begun({ ...ANN, subject: 'bob' })]
    const before = await one.upstreamSession(session, a, NEVER)
    await one.upstreamSession(session, b, NEVER)
    const bob = await one.upstreamSession(bobs, a, NEVER)
    const elsewhere = await two.open(ANN, session.sealedId, OWNER)
    expect(two.opened(elsewhere).get('a')).toEqual(before)
    await one.forgetPrincipal('a', 'ann')
    await expect.poll(() => [...(servers[0]?.sessions.keys() ?? [])]).toEqual([bob.id])
    expect(servers[1]?.sessions.size).toBe(1)
    expect(state.reached).toEqual(['a ann'])
    const after = await one.upstreamSession(session, a, NEVER)
    expect(after.id).not.toBe(before.id)
    expect(await one.upstreamSession(bobs, a, NEVER)).toBe(bob)
    state.now += 5000
    const again = await two.open(ANN, session.sealedId, OWNER)
    expect(await two.upstreamSession(again, a, NEVER)).toEqual(after)
  })

  it('is not opened for a session that has ended meanwhile', async () => {
    const server = await handshake()
    const { one, two, begun } = await setup({ servers: [server] })
    const session = await begun()
    await two.end(await two.open(ANN, session.sealedId, OWNER))
    await expect(one.upstreamSession(session, server.upstream, NEVER)).rejects.toEqual(notFound)
    await expect.poll(() => server.sessions.size).toBe(0)
  })

  it('that its server has forgotten is opened anew: for a list at once, for a call the next time, by one of both replicas', async () => {
    const server = await handshake()
    const { one, two, begun } = await setup({ servers: [server] })
    const session = await begun()
    const elsewhere = await two.open(ANN, session.sealedId, OWNER)
    const ask = (given: typeof LIST) => one.ask(session, server.upstream, given)
    await ask(call('x'))
    const first = [...server.sessions.keys()]
    server.forget()
    expect((await ask(LIST)).result).toMatchObject({ tools: [{ name: 'echo' }] })
    expect([...server.sessions.keys()]).not.toEqual(first)
    server.forget()
    await expect(ask(call('y'))).rejects.toMatchObject({ reason: 'session_lost' })
    expect((await ask(call('z'))).result).toMatchObject({ structuredContent: { args: { nonce: 'z' } } })
    const [current] = server.sessions.keys()
    expect((await two.ask(elsewhere, server.upstream, LIST)).result).toMatchObject({ session: current })
    expect(server.sessions.size).toBe(1)
  })

  it('that was said to be lost by a late answer stays', async () => {
    const server = await handshake()
    const { one, begun } = await setup({ servers: [server] })
    const session = await begun()
    const current = await one.upstreamSession(session, server.upstream, NEVER)
    one.lost(session, server.upstream, { ...current, id: 'of long ago' })
    expect(await one.upstreamSession(session, server.upstream, NEVER)).toBe(current)
  })

  it('that cannot be opened is one error, and tried again by the next', async () => {
    const server = await handshake({ lost: (m: never, res: never) => json(res, error(m, -32000, 'no'), 500) })
    const { one, begun } = await setup({ servers: [server] })
    const session = await begun()
    const aborted = AbortSignal.abort()
    await expect(one.upstreamSession(session, server.upstream, aborted)).rejects.toMatchObject({ reason: 'cancelled' })
    expect(await one.upstreamSession(session, server.upstream, NEVER)).toMatchObject({ revision: '2025-06-18' })
    await server.upstream.close()
    const second = await begun()
    await expect(one.upstreamSession(second, server.upstream, NEVER)).rejects.toMatchObject({ name: 'UpstreamError' })
  })

  it('is told the log level that the client sets: now where it is open, later where it is not', async () => {
    const servers = [await handshake({ id: 'a' }), await handshake({ id: 'b' })]
    const { one, two, begun } = await setup({ servers })
    const [a, b] = servers.map(({ upstream }) => upstream)
    if (a === undefined || b === undefined) expect.fail()
    const session = await begun()
    await one.upstreamSession(session, a, NEVER)
    await one.setLogLevel(session, 'warning')
    const again: AggregateSession = await one.open(ANN, session.sealedId, OWNER)
    expect(again.logLevel).toBe('warning')
    await two.upstreamSession(await two.open(ANN, session.sealedId, OWNER), b, NEVER)
    for (const { seen } of servers)
      expect(seen.filter(({ method }) => method === 'logging/setLevel').map(({ message }) => message.params)).toEqual([
        { level: 'warning' },
      ])
  })
})
