// What is compared: the same tools/call to the same upstream, straight and through each gate.
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../src/store/open.ts'
import { findNginx } from '../test/prepare.ts'
import { registerClient } from '../test/support/client.ts'
import { addUser } from '../test/support/people.ts'
import { createPerson } from '../test/support/person.ts'
import { freePort } from '../test/support/upstream.ts'
import { servePortcullis } from './gate.ts'
import { type Measured, startNginx, startNode } from './process.ts'

export interface Contender {
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** What works for this contender; their CPU is added up. The upstream itself is never counted, except as `direct`. */
  readonly processes: readonly Measured[]
}

export interface Field {
  readonly contenders: readonly Contender[]
  readonly absent: readonly string[]
  stop(): Promise<void>
}

const SERVERS = join(import.meta.dirname, 'servers')
const MODERN = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'echo',
}

/** One modern call whose body is 2 KB. */
export const CALL = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    name: 'echo',
    arguments: { message: 'Words that a person wrote and a tool shall read. '.repeat(40).slice(0, 1680) },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
})

export async function startField(): Promise<Field> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-bench-'))
  const started: Measured[] = []
  const keep = <T extends Measured>(measured: T): T => {
    started.push(measured)
    return measured
  }
  const stop = async () => {
    for (const measured of started.toReversed()) await measured.stop()
  }
  try {
    const port = await freePort()
    const upstreamUrl = `http://127.0.0.1:${port}/mcp`
    const upstream = keep(await startNode(join(SERVERS, 'upstream.ts'), [String(port)]))
    const contenders = [
      { name: 'direct', url: upstreamUrl, headers: MODERN, processes: [upstream] },
      await startPassThrough('body alone', upstreamUrl, ['bare'], keep),
      // Beside what is compared with it.
      await startPassThrough('pass-through', upstreamUrl, [], keep),
    ]
    const asking = await freePort()
    const gate = await startPortcullis(folder, upstreamUrl, `127.0.0.1:${asking}`, keep)
    contenders.push(gate.contender)
    const nginx = findNginx()
    if (nginx) contenders.push(...(await startNginxes(nginx, folder, { upstream: port, asking, gate }, keep)))
    return { contenders, absent: nginx ? [] : ['nginx is not installed: its three rows are missing'], stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Keep = <T extends Measured>(measured: T) => T

async function startPassThrough(
  name: string,
  upstream: string,
  args: readonly string[],
  keep: Keep,
): Promise<Contender> {
  const port = await freePort()
  const server = keep(await startNode(join(SERVERS, 'pass-through.ts'), [String(port), upstream, ...args]))
  return { name, url: `http://127.0.0.1:${port}/mcp`, headers: MODERN, processes: [server] }
}

interface Gate {
  readonly contender: Contender
  readonly port: number
  /** For what nginx protects by asking the gate. */
  readonly askedFor: string
}

/** The product as an operator runs it, with tokens that a person got through the pages. Records every call. */
async function startPortcullis(folder: string, upstream: string, askingHost: string, keep: Keep): Promise<Gate> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const config = {
    server: { url, listen: `127.0.0.1:${port}` },
    forwardAuth: { resources: [{ host: askingHost }] },
    store: { url: `sqlite:${join(folder, 'portcullis.db')}`, directory: join(folder, 'data') },
    oauth: { accessTokenTtl: '2h' },
    // What telling a server who calls costs is measured in bench/upstreams.ts.
    servers: [{ id: 'bench', url: upstream, identity: { headers: false, jwt: false } }],
    policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
    audit: { sink: ['store'] },
  }
  const file = join(folder, 'portcullis.json')
  mkdirSync(join(folder, 'data'), { recursive: true })
  writeFileSync(file, JSON.stringify(config))
  const person = { username: 'bench', password: 'a long enough pass phrase' }
  const store = await openStore({ url: config.store.url, directory: config.store.directory })
  await addUser(store, { ...person, administrator: true })
  await store.close()
  const server = keep(await servePortcullis(['--config', file], { cwd: folder }))
  const client = await registerClient({ url })
  const resource = `${url}/servers/bench/mcp`
  const tokenFor = async (target: string) =>
    (await client.signIn(createPerson(person), { resource: target, scope: 'mcp:tools' })).accessToken
  const headers = { ...MODERN, authorization: `Bearer ${await tokenFor(resource)}` }
  const contender = { name: 'Portcullis', url: resource, headers, processes: [server] }
  return { contender, port, askedFor: await tokenFor(`http://${askingHost}`) }
}

interface Behind {
  readonly upstream: number
  /** Where nginx listens that asks the gate. */
  readonly asking: number
  readonly gate: Gate
}

async function startNginxes(
  nginx: string,
  folder: string,
  { upstream, asking, gate }: Behind,
  keep: Keep,
): Promise<Contender[]> {
  const [plainPort, guardedPort, servicePort] = [await freePort(), await freePort(), await freePort()]
  const service = keep(await startNode(join(SERVERS, 'ok.ts'), [String(servicePort)]))
  const start = async (name: string, port: number, guard: string, service: number, path = '') => {
    const home = join(folder, name)
    mkdirSync(home)
    chmodSync(home, 0o755)
    writeFileSync(join(home, 'nginx.conf'), nginxConfig({ port, upstream, service, path, guard }))
    return keep(await startNginx(nginx, home, join(home, 'nginx.conf'), `http://127.0.0.1:${port}/`))
  }
  const plain = await start('plain', plainPort, '', servicePort)
  const guarded = await start('guarded', guardedPort, 'auth_request /decision;', servicePort)
  const asked = await start('asked', asking, 'auth_request /decision;', gate.port, '/auth')
  const headers = { ...MODERN, authorization: `Bearer ${gate.askedFor}` }
  const ours = [asked, ...gate.contender.processes]
  const address = (port: number) => `http://127.0.0.1:${port}/mcp`
  return [
    { name: 'nginx proxy_pass', url: address(plainPort), headers: MODERN, processes: [plain] },
    { name: 'nginx auth_request', url: address(guardedPort), headers: MODERN, processes: [guarded, service] },
    { name: 'nginx asking Portcullis', url: address(asking), headers, processes: ours },
  ]
}

interface NginxShape {
  readonly port: number
  readonly upstream: number
  readonly service: number
  /** Where the service answers; nginx's own path where none is given. */
  readonly path: string
  readonly guard: string
}

const nginxConfig = ({ port, upstream, service, path, guard }: NginxShape) => `
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid nginx.pid;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  client_body_buffer_size 64k;
  keepalive_requests 1000000; keepalive_timeout 120s;
  upstream mcp { server 127.0.0.1:${upstream}; keepalive 64; keepalive_requests 1000000; }
  upstream decision { server 127.0.0.1:${service}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port};
    location = /decision {
      internal;
      proxy_pass http://decision${path};
      proxy_set_header Host 127.0.0.1;
      proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
      proxy_set_header X-Original-Method $request_method;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
      proxy_pass_request_body off;
    }
    location / {
      ${guard}
      proxy_pass http://mcp;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`
