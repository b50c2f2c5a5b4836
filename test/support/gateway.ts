// The real gateway in process, on a real port, with the clock in hand. Tests talk to it over HTTP, as every client will.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ActEvent, CallEvent } from '../../src/audit/event.ts'
import { Config, type ConfigInput, type Config as Settled } from '../../src/config/schema.ts'
import { createGateway } from '../../src/gateway.ts'
import { createLog } from '../../src/observe/log.ts'
import { serverPath } from '../../src/protocol/resource.ts'
import type { UserRecord } from '../../src/store/durable.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import type { Resolve } from '../../src/upstreams/network/names.ts'
import { registerClient, type TestClient, type Tokens } from './client.ts'
import { type TestClock, testClock } from './clock.ts'
import { tlsOfThisRun } from './over-tls.ts'
import { addUser, type NewUser } from './people.ts'
import { createPerson, type Person } from './person.ts'
import { freePort } from './upstream.ts'

export { standingClock, type TestClock, testClock } from './clock.ts'

type Sections = Pick<
  ConfigInput,
  | 'servers'
  | 'policy'
  | 'identity'
  | 'oauth'
  | 'auth'
  | 'server'
  | 'scopes'
  | 'roles'
  | 'audit'
  | 'metrics'
  | 'forwardAuth'
  | 'doors'
  | 'tokens'
  | 'admin'
  | 'aggregate'
  | 'limits'
  | 'identityForwarding'
  | 'cluster'
  | 'passthrough'
>

export interface GatewayOptions extends Sections {
  /** `file` survives restart(); `memory` does too, since restart() keeps the store, but not the process. */
  readonly store?: 'memory' | 'file'
  /** Another database, such as the URL of a PostgreSQL one. */
  readonly storeUrl?: string
  readonly clock?: TestClock
  /** What the names of servers behind it mean. */
  readonly resolve?: Resolve
}

export interface TestGateway {
  readonly url: string
  readonly port: number
  readonly config: Settled
  readonly store: Store
  readonly clock: TestClock
  /** What it logged, a line each. */
  readonly log: readonly string[]
  /** Public URL of one server's MCP endpoint, or of `*`: the resource of its tokens. */
  resource(server: string): string
  addUser(user: NewUser): Promise<UserRecord>
  /** The person called `ann` is made on first use. */
  person(username?: string): Promise<Person>
  /** The whole flow over HTTP: registration, authorization, pages, code, token. */
  signIn(server: string, options?: SignInOptions): Promise<Tokens>
  tokenFor(server: string, options?: SignInOptions): Promise<string>
  /** The record, oldest first; waits until `until` holds, since calls are committed in batches. */
  audit(until?: (events: readonly Event[]) => boolean): Promise<Event[]>
  /** Text of /metrics. */
  metrics(): Promise<string>
  restart(): Promise<void>
  close(): Promise<void>
}

export interface SignInOptions {
  readonly user?: NewUser | Person
  readonly scope?: string
  readonly client?: TestClient
}

type Event = CallEvent | ActEvent
type Running = Awaited<ReturnType<typeof createGateway>>

export const ANN: NewUser = { username: 'ann', password: 'seven green bottles on a wall', groups: ['engineering'] }
export const BOB: NewUser = { username: 'bob', password: 'nine purple kettles in a row', groups: ['finance'] }

const EVERYTHING = { rules: [{ allow: ['*/*'], to: ['*'] }] }
export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const { store: kind = 'memory', storeUrl, clock = testClock(), resolve, ...sections } = options
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-test-'))
  const port = await freePort()
  const storeAt = storeUrl ?? (kind === 'file' ? `sqlite:${join(directory, 'portcullis.db')}` : 'sqlite::memory:')
  const config = settle(sections, { port, directory, storeUrl: storeAt })
  const lines: string[] = []
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) }, terminal: false })
  const open = () => openStore({ url: config.store.url, directory: config.store.directory })
  let store = await open()
  let running = await start()

  async function start(): Promise<Running> {
    const gateway = await createGateway(config, {
      store,
      clock: clock.now,
      log,
      ...(resolve && { resolve }),
      stdout: { write: () => undefined, close: async () => undefined },
    })
    await gateway.listen()
    return gateway
  }

  const people = new Map<string, Person>()
  const gateway: TestGateway = {
    url: config.server.url,
    port,
    config,
    get store() {
      return store
    },
    clock,
    log: lines,
    resource: (server) => config.server.url + serverPath(server),
    addUser: (user) => addUser(store, user),
    async person(username = ANN.username) {
      const known = people.get(username)
      if (known) return known
      const user = username === BOB.username ? BOB : { ...ANN, username }
      await addUser(store, user)
      const person = createPerson(user)
      people.set(username, person)
      return person
    },
    async signIn(server, { user, scope = 'mcp:tools offline_access', client } = {}) {
      const person = await personOf(user)
      const registered = client ?? (await registerClient(gateway))
      return registered.signIn(person, { resource: gateway.resource(server), scope })
    },
    tokenFor: async (server, signIn) => (await gateway.signIn(server, signIn)).accessToken,
    audit: (until = () => true) => readRecord(store, until),
    metrics: async () => (await fetch(`${config.server.url}/metrics`)).text(),
    async restart() {
      await running.close()
      if (config.store.url !== 'sqlite::memory:') {
        await store.close()
        store = await open()
      }
      running = await start()
    },
    async close() {
      await running.close()
      await store.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }

  async function personOf(user: NewUser | Person | undefined): Promise<Person> {
    if (user === undefined) return gateway.person()
    if ('follow' in user) return user
    await addUser(store, user)
    return createPerson(user)
  }

  return gateway
}

/** What the loader does for an operator: the public URL is there, paths are absolute. */
function settle(sections: Sections, at: { port: number; directory: string; storeUrl: string }): Settled {
  const { server, policy = EVERYTHING, ...rest } = sections
  const tls = server?.tls ?? tlsOfThisRun(at.directory)
  // A client may open a connection ahead of need. One that it first uses as our patience with it ends is answered with 408 (RFC 9110
  // §15.5.9), which a slow machine would see in a test of ten seconds.
  const limits = { headersTimeout: '60s', ...server?.limits }
  const own = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${at.port}`
  const parsed = Config.parse({
    audit: { sink: ['store'] },
    policy,
    ...rest,
    server: { url: own, listen: `127.0.0.1:${at.port}`, drain: '2s', ...server, tls, limits },
    store: { url: at.storeUrl, directory: at.directory },
  })
  const { url = own, allowedOrigins = 'loopback' } = parsed.server
  return { ...parsed, server: { ...parsed.server, url, allowedOrigins } }
}

/** It only ends what would never come. */
const AUDIT_PATIENCE = 20_000
/** So often a decision is looked at again for its outcome, which is written after the answer: on a slow machine that takes longer. */
const OUTCOME_LOOKS = 30

async function readRecord(store: Store, until: (events: readonly Event[]) => boolean): Promise<Event[]> {
  const end = Date.now() + AUDIT_PATIENCE
  const seen = new Map<string, number>()
  const isSettled = (event: Event): boolean => {
    if (event.kind === 'act' || event.outcome !== undefined) return true
    const looks = (seen.get(event.id) ?? 0) + 1
    seen.set(event.id, looks)
    return looks > OUTCOME_LOOKS
  }
  for (;;) {
    const events = (await store.records.newest(1000)).map(({ line }) => JSON.parse(line) as Event).filter(isSettled)
    if (until(events)) return events
    if (Date.now() > end) throw new Error(`The record never became what was awaited. It holds:\n${summary(events)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const summary = (events: readonly Event[]) =>
  events
    .map((event) =>
      (event.kind === 'act' ? [event.act, event.reason] : [event.method, event.name, event.outcome]).join(' '),
    )
    .join('\n')
