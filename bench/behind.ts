// What `npm run bench:upstreams` compares: servers of every kind behind one gate, beside the SDK's own client and beside mcp-proxy from npm.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../src/config/load.ts'
import { upstreamsOf } from '../src/config/servers.ts'
import { createLog } from '../src/observe/log.ts'
import { openStore } from '../src/store/open.ts'
import { gateSecret } from '../src/upstreams/credentials/value-source.ts'
import { homeOf } from '../src/upstreams/home.ts'
import { secretConnections } from '../src/upstreams/secret-connections.ts'
import { withVault } from '../src/wiring/vault.ts'
import { registerClient } from '../test/support/client.ts'
import { addUser } from '../test/support/people.ts'
import { createPerson } from '../test/support/person.ts'
import { freePort } from '../test/support/upstream.ts'
import { servePortcullis } from './gate.ts'
import type { Load } from './load.ts'
import type { Sample, Shape } from './pace.ts'
import { type Measured, type Program, startNode } from './process.ts'

export interface Contender {
  readonly name: string
  /** Of rows that are read side by side. */
  readonly group: Group
  /** Whose CPU is told; that of its children is told apart. */
  readonly process: Measured
  run(shape: Shape): Promise<Sample>
}

export type Group = 'told' | 'stdio' | 'eras' | 'channels'
export type Keep = <T extends { stop(): Promise<void> }>(starting: Promise<T>) => Promise<T>

const ECHO = join(import.meta.dirname, 'servers/echo.ts')
const PROXY = join(import.meta.dirname, '../node_modules/.bin/mcp-proxy')
const SDK = join(import.meta.dirname, 'sdk-client.ts')
const KEY = 'a-key-of-the-server-behind-the-gate'
const REVISION = '2025-11-25'

const message = 'Words that a person wrote and a tool shall read. '.repeat(40).slice(0, 1680)
const JSON_BOTH = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
const call = (meta: object) =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'tool_0', arguments: { message }, ...meta },
  })
const MODERN_HEAD = {
  ...JSON_BOTH,
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'tool_0',
}
const MODERN_CALL = call({
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  },
})

type Target = Pick<Load, 'url' | 'headers' | 'body'>
const modernCall = (url: string, headers: Load['headers'] = {}): Target => ({
  url,
  headers: { ...MODERN_HEAD, ...headers },
  body: MODERN_CALL,
})

/** In a session of its own, as a client of the handshake era calls. */
async function handshakeCall(url: string, headers: Load['headers'] = {}): Promise<Target> {
  const params = { protocolVersion: REVISION, capabilities: {}, clientInfo: { name: 'bench', version: '1' } }
  const post = (said: object, more: object) => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...said })
    return fetch(url, { method: 'POST', headers: { ...JSON_BOTH, ...headers, ...more }, body })
  }
  const opened = await post({ id: 1, method: 'initialize', params }, {})
  const session = opened.headers.get('mcp-session-id')
  const text = await opened.text()
  if (session === null) throw new Error(`${url} opened no session: ${opened.status} ${text}`)
  const inSession = { 'mcp-session-id': session, 'mcp-protocol-version': REVISION }
  await (await post({ method: 'notifications/initialized' }, inSession)).text()
  return { url, headers: { ...JSON_BOTH, ...headers, ...inSession }, body: call({}) }
}

interface Gate {
  readonly process: Measured
  urlOf(server: string): string
  headersFor(server: string): Promise<Load['headers']>
}

/** The product as an operator runs it, with one server of each kind behind it. Records every call. */
async function startGate(modern: string, handshake: string, keep: Keep): Promise<Gate> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-bench-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const credentials = { type: 'headers', headers: { Authorization: { vault: 'bench', prefix: 'Bearer ' } } }
  const file = join(folder, 'portcullis.json')
  mkdirSync(join(folder, 'data'), { recursive: true })
  writeFileSync(
    file,
    JSON.stringify({
      server: { url, listen: `127.0.0.1:${port}` },
      store: { url: `sqlite:${join(folder, 'portcullis.db')}`, directory: join(folder, 'data') },
      oauth: { accessTokenTtl: '2h' },
      // All but the first are told who calls, as it is the default for servers of this machine.
      servers: [
        { id: 'plain', url: modern, identity: { headers: false, jwt: false } },
        { id: 'told', url: modern },
        { id: 'keyed', url: modern, credentials },
        { id: 'pasted', url: modern, credentials: { type: 'secret', title: 'Key' } },
        { id: 'child', command: [process.execPath, ECHO, 'stdio'] },
        { id: 'handshake', url: `${handshake}/mcp` },
        { id: 'events', url: `${handshake}/sse`, transport: 'sse' },
        { id: 'socket', url: `${handshake.replace('http', 'ws')}/ws` },
      ],
      policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
      audit: { sink: ['store'] },
    }),
  )
  const user = { username: 'bench', password: 'a long enough pass phrase' }
  await keepSecrets(file, user)
  const server = await keep(servePortcullis(['--config', file], { cwd: folder }))
  const client = await registerClient({ url })
  const urlOf = (id: string) => `${url}/servers/${id}/mcp`
  return {
    process: server,
    urlOf,
    async headersFor(id) {
      const wanted = { resource: urlOf(id), scope: 'mcp:tools' }
      return { authorization: `Bearer ${(await client.signIn(createPerson(user), wanted)).accessToken}` }
    },
  }
}

/** The gate's own one, and the one that a person has pasted on our page. */
async function keepSecrets(file: string, user: { username: string; password: string }): Promise<void> {
  const flags = { config: file, settings: {}, seeds: {} }
  const { config } = await loadConfig({ flags, env: {}, cwd: import.meta.dirname })
  const store = await openStore(config.store)
  const log = createLog({ level: 'warn' })
  const { id: subject } = await addUser(store, { ...user, administrator: true })
  const { durable } = store
  await withVault(config, { durable, log }, async (vault) => {
    await vault.put(gateSecret('bench'), Buffer.from(KEY))
    const records = durable.connections
    const { paste } = secretConnections({ vault, records, clock: Date.now, record: async () => undefined })
    const home = upstreamsOf(config.servers).flatMap((server) => (server.id === 'pasted' ? [homeOf(server)] : []))
    await paste(subject, { id: 'pasted', home: home.join(), prefix: 'Bearer ' }, KEY)
  })
  await store.close()
}

/** With nothing kept for streams that break, which costs it time and is of no use here. */
async function startProxy(era: 'stdio' | 'modern', keep: Keep): Promise<{ process: Program; url: string }> {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const own = ['--host', '127.0.0.1', '--port', String(port), '--server', 'stream', '--no-eventStore']
  const protocol = ['--upstreamProtocol', era === 'modern' ? 'modern' : 'legacy']
  const args = [...own, ...protocol, '--', process.execPath, ECHO, era]
  return { process: await keep(startNode(PROXY, args, { ready: `${origin}/ping` })), url: `${origin}/mcp` }
}

const startSdk = (keep: Keep, ...args: readonly string[]): Promise<Program> => keep(startNode(SDK, args))

/** `load`: of the generator, for whatever is called over HTTP. */
export async function startContenders(load: (order: Load) => Promise<Sample>, keep: Keep): Promise<Contender[]> {
  const [modernPort, handshakePort] = [await freePort(), await freePort()]
  await keep(startNode(join(import.meta.dirname, 'servers/many.ts'), [String(modernPort)]))
  await keep(startNode(ECHO, [String(handshakePort)]))
  const modern = `http://127.0.0.1:${modernPort}/1/0`
  const handshake = `http://127.0.0.1:${handshakePort}`
  const gate = await startGate(modern, handshake, keep)
  const [proxy, modernProxy] = [await startProxy('stdio', keep), await startProxy('modern', keep)]

  const over = (group: Group, name: string, process: Measured, target: Target): Contender => ({
    ...{ group, name, process },
    run: (shape) => load({ ...target, ...shape }),
  })
  const sdk = (group: Group, name: string, process: Program): Contender => ({
    ...{ group, name, process },
    run: async (shape) => (await process.ask(shape)) as Sample,
  })
  const throughGate = async (group: Group, name: string, id: string, era: 'modern' | 'handshake') => {
    const open = era === 'modern' ? modernCall : handshakeCall
    return over(group, name, gate.process, await open(gate.urlOf(id), await gate.headersFor(id)))
  }
  const { execPath } = process
  return [
    await throughGate('told', 'plain', 'plain', 'modern'),
    await throughGate('told', 'told who calls: headers and a signed assertion', 'told', 'modern'),
    await throughGate('told', 'the same, and a key from the vault', 'keyed', 'modern'),
    await throughGate('told', 'the same, and a secret that each person pasted', 'pasted', 'modern'),
    sdk('stdio', 'SDK client in process', await startSdk(keep, 'handshake', execPath, ECHO, 'stdio')),
    await throughGate('stdio', 'Portcullis, handshake client', 'child', 'handshake'),
    over('stdio', 'mcp-proxy, handshake client', proxy.process, await handshakeCall(proxy.url)),
    await throughGate('stdio', 'Portcullis, modern client', 'child', 'modern'),
    over('stdio', 'mcp-proxy, modern client', proxy.process, modernCall(proxy.url)),
    sdk('eras', 'SDK client, handshake server', await startSdk(keep, 'handshake', `${handshake}/mcp`)),
    await throughGate('eras', 'Portcullis, handshake client, handshake server', 'handshake', 'handshake'),
    await throughGate('eras', 'Portcullis, modern client, handshake server', 'handshake', 'modern'),
    sdk('eras', 'SDK client, modern server', await startSdk(keep, 'modern', modern)),
    await throughGate('eras', 'Portcullis, modern client, modern server', 'told', 'modern'),
    await throughGate('eras', 'Portcullis, handshake client, modern server', 'told', 'handshake'),
    over(
      'eras',
      'mcp-proxy, handshake client, modern child',
      modernProxy.process,
      await handshakeCall(modernProxy.url),
    ),
    await throughGate('channels', 'HTTP+SSE of 2024-11-05', 'events', 'handshake'),
    await throughGate('channels', 'WebSocket', 'socket', 'handshake'),
  ]
}
