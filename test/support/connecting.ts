// The ground of a gateway without its doors, and a person whose browser goes to a server's authorization server and back.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ActEvent } from '../../src/audit/event.ts'
import { Config, type ConfigInput } from '../../src/config/schema.ts'
import { createLog } from '../../src/observe/log.ts'
import type { Connection } from '../../src/protocol/connections.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import type { Caller } from '../../src/upstreams/caller.ts'
import type { Refused, RemoteUpstream } from '../../src/upstreams/upstream.ts'
import { type GatewayNeeds, type Ground, type Opened, openGround } from '../../src/wiring/ground.ts'
import { type TestClock, testClock } from './clock.ts'

export interface Connecting {
  readonly ground: Ground
  readonly clock: TestClock
  readonly store: Store
  readonly log: readonly string[]
  /** Connects the person's account and answers the connection; `visit`: changes where the browser goes, or the answer on its way back. */
  connect(person: string, server: string, visit?: Visit): Promise<Connection>
  /** `Authorization` that the server would get for this person. */
  authorizationOf(person: string, server: string): Promise<string | undefined>
  renew(person: string, server: string, refused: Refused): Promise<string | undefined>
  /** One call of the server with what the person is given; refused, it is tried once more, as the door does. */
  call(person: string, server: string): Promise<string>
  acts(): Promise<ActEvent[]>
  close(): Promise<void>
}

interface Visit {
  /** What the authorization server takes for the signed-in person. */
  readonly account?: string
  readonly back?: (answer: URLSearchParams, address: URL) => void
}

interface Options extends Pick<ConfigInput, 'servers' | 'server'> {
  readonly clock?: TestClock
  readonly storeUrl?: string
  /** What names of servers behind the gate mean, for their own connections alone. */
  readonly resolve?: GatewayNeeds['resolve']
  /** Of another ground, over the same database. */
  readonly directory?: string
}

const callerNamed = (subject: string): Caller => ({
  principal: {
    ...{ kind: 'user', subject, issuer: 'https://gate.example', method: 'token', groups: [], roles: [], teams: [] },
    ...{ claims: {}, scopes: [], email: undefined, name: undefined, client: undefined },
  } as unknown as Caller['principal'],
  rawHeaders: [],
})

export async function openConnecting(options: Options): Promise<Connecting> {
  const { clock = testClock(), storeUrl = 'sqlite::memory:', directory: given, resolve, ...sections } = options
  const directory = given ?? mkdtempSync(join(tmpdir(), 'portcullis-connecting-'))
  const parsed = Config.parse({
    ...{ audit: { sink: ['store'] }, policy: { rules: [{ allow: ['*/*'], to: ['*'] }] } },
    ...sections,
    server: { url: 'http://127.0.0.1:4444', ...sections.server },
    store: { url: storeUrl, directory },
  })
  const config = { ...parsed, server: { ...parsed.server, url: parsed.server.url ?? '', allowedOrigins: 'loopback' } }
  const lines: string[] = []
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) }, terminal: false })
  const store = await openStore({ url: storeUrl, directory })
  const opened: Opened = []
  const stdout = { write: () => undefined, close: async () => undefined }
  const tidy = async () => {
    for (const close of opened.splice(0).reverse()) await close()
    await store.close()
    if (given === undefined) rmSync(directory, { recursive: true, force: true })
  }
  const ground = await openGround(
    config as Ground['config'],
    { store, clock: clock.now, log, stdout, ...(resolve && { resolve }) },
    opened,
  ).catch(async (error: unknown) => {
    await tidy()
    throw error
  })

  const boundFor = async (person: string, server: string) => {
    const upstream = ground.upstreams.get(server)
    if (upstream?.kind !== 'remote') throw new Error(`No remote server ${server}.`)
    return ground.binding.bind(upstream as RemoteUpstream, callerNamed(person))
  }
  const ask = ({ pool, path, addedHeaders }: RemoteUpstream) =>
    pool.request({ method: 'POST', path, headers: { 'content-type': 'application/json', ...addedHeaders }, body: CALL })

  return {
    ground,
    clock,
    store,
    log: lines,
    async connect(person, server, { account = `${person}@there`, back } = {}) {
      const { url } = await ground.connections.begin(person, server)
      const visited = new URL(url)
      visited.searchParams.set('login_hint', account)
      const response = await fetch(visited, { redirect: 'manual' })
      const answer = new URL(response.headers.get('location') ?? '')
      back?.(answer.searchParams, answer)
      return ground.connections.finish(person, answer)
    },
    authorizationOf: async (person, server) => (await boundFor(person, server)).addedHeaders['authorization'],
    async renew(person, server, refused) {
      const bound = await boundFor(person, server)
      return (await ground.binding.renew(bound, callerNamed(person), refused))?.addedHeaders['authorization']
    },
    async call(person, server) {
      const bound = await boundFor(person, server)
      let answer = await ask(bound)
      if (answer.statusCode === 401 || answer.statusCode === 403) {
        await answer.body.dump()
        const challenge = answer.headers['www-authenticate']
        const refused = { status: answer.statusCode, challenge: challenge === undefined ? undefined : `${challenge}` }
        const again = await ground.binding.renew(bound, callerNamed(person), refused)
        if (again === undefined) return `${answer.statusCode}`
        answer = await ask(again)
      }
      const text = await answer.body.text()
      if (answer.statusCode !== 200) return `${answer.statusCode}`
      const { result } = JSON.parse(text) as { result: { content: { text: string }[] } }
      return result.content[0]?.text ?? ''
    },
    async acts() {
      const events = (await store.records.newest(1000)).map(({ line }) => JSON.parse(line) as ActEvent)
      return events.filter(({ kind, act }) => kind === 'act' && act.startsWith('connection_'))
    },
    close: tidy,
  }
}

const CALL = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'whoami', arguments: {} } })
