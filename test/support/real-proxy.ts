// The proxies themselves, from Debian, with the configurations that we ship: only addresses are others.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from '../prepare.ts'
import { stopProcess } from './upstream.ts'

export type ProxyName = 'nginx' | 'caddy' | 'haproxy'

interface At {
  readonly port: number
  readonly gate: number
  readonly behind: number
}

export interface RealProxy {
  readonly port: number
  stop(): Promise<void>
}

const DEPLOY = join(import.meta.dirname, '../../deploy/proxies')
const shipped = (path: string): string => readFileSync(join(DEPLOY, path), 'utf8')

/** Every replaced text must be there: a configuration that no longer has it is not the one that was meant. */
function replaced(text: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new TypeError(`The shipped configuration has no "${from}".`)
    return before.replaceAll(from, to)
  }, text)
}

const addresses = ({ gate, behind }: At) => ({
  '127.0.0.1:4444': `127.0.0.1:${gate}`,
  '127.0.0.1:3000': `127.0.0.1:${behind}`,
})

function nginx(at: At, folder: string): readonly string[] {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  const site = replaced(shipped('nginx/forward-auth.conf'), {
    ...addresses(at),
    '    listen 443 ssl;': `    listen 127.0.0.1:${at.port};`,
    'server_name mcp.example.com': 'server_name localhost',
    '    ssl_certificate     /etc/nginx/tls/mcp.crt;\n    ssl_certificate_key /etc/nginx/tls/mcp.key;\n': '',
  })
  const whole = `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr; user root;
events {}
http { access_log off; ${folders.join(' ')}
${site} }`
  writeFileSync(join(folder, 'nginx.conf'), whole)
  return ['-p', folder, '-c', join(folder, 'nginx.conf')]
}

function caddy(at: At, folder: string): readonly string[] {
  const site = replaced(shipped('caddy/Caddyfile'), {
    ...addresses(at),
    'mcp.example.com {': `http://localhost:${at.port} {`,
  })
  writeFileSync(join(folder, 'Caddyfile'), `{\n\tadmin off\n\tauto_https off\n}\n${site}`)
  return ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')]
}

function haproxy(at: At, folder: string): readonly string[] {
  writeFileSync(join(folder, 'portcullis.lua'), shipped('haproxy/portcullis.lua'))
  const whole = replaced(shipped('haproxy/haproxy.cfg'), {
    ...addresses(at),
    '/etc/haproxy/portcullis.lua': join(folder, 'portcullis.lua'),
    'bind :443 ssl crt /etc/haproxy/tls/mcp.pem': `bind 127.0.0.1:${at.port}`,
  })
  writeFileSync(join(folder, 'haproxy.cfg'), whole)
  return ['-db', '-f', join(folder, 'haproxy.cfg')]
}

const CONFIGURE = { nginx, caddy, haproxy }

export async function startRealProxy(name: ProxyName, at: At): Promise<RealProxy> {
  const program = findProgram(name)
  if (program === undefined) throw new Error(`${name} is missing; as root: apt-get install ${name}`)
  const folder = mkdtempSync(join(tmpdir(), `portcullis-${name}-`))
  mkdirSync(join(folder, 'home'), { recursive: true })
  const env = { ...process.env, HOME: join(folder, 'home'), XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const child = spawn(program, CONFIGURE[name](at, folder), { stdio: ['ignore', 'pipe', 'pipe'], env })
  await answering(child, name, at.port)
  return {
    port: at.port,
    async stop() {
      await stopProcess(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answering(child: ChildProcess, name: string, port: number): Promise<void> {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += chunk))
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${name} ended: ${said}`)
  })
  const answers = async (): Promise<void> => {
    for (;;) {
      if (
        await fetch(`http://127.0.0.1:${port}/`).then(
          () => true,
          () => false,
        )
      )
        return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  await Promise.race([answers(), ended])
  ended.catch(() => undefined)
}
