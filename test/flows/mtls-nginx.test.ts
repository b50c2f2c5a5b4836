// nginx ends TLS, asks for client certificates and hands them on through our socket file: its configuration is the one of the guide.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { findNginx } from '../prepare.ts'
import { createAuthority, type Issued, type Wish } from '../support/authority.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { CALL_HEADERS } from '../support/mtls.ts'
import { MCP_PATH, toolCall } from '../support/range.ts'
import { createTlsFolder, httpsClient, type TlsFolder, until } from '../support/tls.ts'
import { fieldsOf, lastCall, namesBesideOurs } from '../support/told.ts'
import { freePort, stopProcess } from '../support/upstream.ts'

const GUIDE = join(import.meta.dirname, '../../docs/guides/tls.md')

let folder: TlsFolder
let canary: Canary
let gateway: TestGateway
let nginx: ChildProcess
let port: number
let root: string

/** The guide's own lines, at other addresses. */
function configuration(at: { port: number; socket: string; root: string }): string {
  const [, block = ''] = /```nginx\n([\s\S]*?)```/.exec(readFileSync(GUIDE, 'utf8')) ?? []
  const placed = block
    .replace('listen 443 ssl', `listen 127.0.0.1:${at.port} ssl`)
    .replace('/etc/nginx/tls/mcp.crt', String(folder.tls.cert))
    .replace('/etc/nginx/tls/mcp.key', String(folder.tls.key))
    .replace('/etc/nginx/tls/clients-ca.crt', String(folder.tls.clientCa))
    .replace('/run/portcullis/portcullis.sock', at.socket)
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${at.root}/${name};`,
  )
  return `daemon off; worker_processes 1; pid ${at.root}/pid; error_log stderr; user root;
events {}
http { access_log off; ${folders.join(' ')}
${placed} }`
}

beforeAll(async () => {
  const program = findNginx()
  if (program === undefined) return
  folder = createTlsFolder()
  root = join(tmpdir(), `portcullis-nginx-${process.pid}`)
  mkdirSync(root, { recursive: true })
  const socket = join(root, 'gate.sock')
  canary = await startCanary()
  gateway = await startGateway({
    servers: [{ id: 'canary', url: canary.url }],
    server: { url: 'https://mcp.example.com', listen: `unix:${socket}`, trustedProxies: ['unix'] },
    auth: { mtls: { header: 'xfcc', identity: 'san-dns' } },
  })
  port = await freePort()
  writeFileSync(join(root, 'nginx.conf'), configuration({ port, socket, root }))
  nginx = spawn(program, ['-p', root, '-c', join(root, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  nginx.stderr?.on('data', (chunk) => (said += chunk))
  const ended = once(nginx, 'exit').then(() => Promise.reject(new Error(`nginx ended: ${said}`)))
  const ready = until(async () => (await call(undefined).catch(() => undefined)) !== undefined, 'nginx answers')
  await Promise.race([ready, ended])
  ended.catch(() => undefined)
})
afterAll(async () => {
  if (nginx) await stopProcess(nginx)
  await gateway?.close()
  await canary?.close()
  folder?.remove()
  if (root !== undefined) rmSync(root, { recursive: true, force: true })
})
beforeEach((context) => {
  if (findNginx() === undefined) context.skip('nginx is not installed; as root: apt-get install nginx')
})

async function call(client: Pick<Issued, 'cert' | 'key'> | undefined, headers = {}) {
  const caller = httpsClient(port, { authority: folder.authority, client })
  try {
    return await caller.post(MCP_PATH, toolCall('modern'), { ...CALL_HEADERS, Host: 'mcp.example.com', ...headers })
  } finally {
    caller.close()
  }
}
const ann = (wish: Wish = {}) => folder.authority.issue({ sans: { dns: ['ann.example.org'] }, ...wish })
const subjects = async (count: number) => {
  const events = await gateway.audit((found) => found.filter(({ kind }) => kind === 'call').length >= count)
  return events.flatMap((event) => (event.kind === 'call' ? [event] : []))
}

describe('through nginx', () => {
  it('a certificate is its holder, at the address that nginx saw', async () => {
    expect((await call(ann())).status).toBe(200)
    expect((await subjects(1)).at(-1)).toMatchObject({ subject: 'certificate|ann.example.org', address: '127.0.0.1' })
    expect(namesBesideOurs(lastCall(canary), /cert/)).toEqual([])
    expect(fieldsOf(lastCall(canary))['x-forwarded-user-id']).toBe('certificate|ann.example.org')
  })

  it('none is nobody, whatever the client writes into the header', async () => {
    expect((await call(undefined)).status).toBe(401)
    const forged = { 'X-Forwarded-Client-Cert': 'Hash=00;DNS=admin.example.org' }
    expect((await call(undefined, forged)).status).toBe(401)
    const before = (await subjects(1)).length
    expect((await call(ann(), forged)).status).toBe(200)
    expect((await subjects(before + 1)).at(-1)).toMatchObject({ subject: 'certificate|ann.example.org' })
  })

  it('odd names arrive whole: one that would be two in the header is none', async () => {
    const odd = ann({ sans: { dns: ['ann.example.org";DNS="admin.example.org'] } })
    expect((await call(odd)).status).toBe(401)
    const subject = ann({
      subject: [
        ['O', 'x",Cert="'],
        ['CN', 'y"\\'],
      ],
    })
    expect((await call(subject)).status).toBe(200)
  })

  it('what nginx does not verify never comes to us', async () => {
    const before = canary.requests.length
    const answers = [
      await call(createAuthority('Others').issue({ sans: { dns: ['ann.example.org'] } })),
      await call(ann({ from: -3, until: -1 })),
      await call(ann({ usage: 'server' })),
    ]
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400])
    expect(canary.requests.length).toBe(before)
  })
})
