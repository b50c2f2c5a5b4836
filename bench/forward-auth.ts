// Forward-auth beside a bare node:http 200 with the same fields: one token over and over (warm), and a new token with every request
// (cold: each signature is proved). Every decision is recorded, as in service.
import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importJWK, type JWK, SignJWT } from 'jose'
import { openStore } from '../src/store/open.ts'
import { openKeyring } from '../src/tokens/keyring.ts'
import { addUser } from '../test/support/people.ts'
import { freePort } from '../test/support/upstream.ts'
import type { Asking } from './forward-load.ts'
import { servePortcullis } from './gate.ts'
import type { Sample } from './pace.ts'
import { type Measured, startNode } from './process.ts'
import { median, type Row } from './report.ts'

const HOST = 'app.example.com'
const COLD_TOKENS = 4000
const SHAPE = { concurrency: 16, count: 8000, seconds: 6 }
/** As Traefik asks. */
const ASKED = {
  'x-forwarded-method': 'GET',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': HOST,
  'x-forwarded-uri': '/mcp',
  'x-forwarded-for': '203.0.113.9',
  accept: 'application/json, text/event-stream',
  'user-agent': 'bench',
}

type Measurement = Sample & { readonly cpu: number }
interface Contender {
  readonly name: string
  readonly origin: string
  readonly tokens: readonly string[]
  readonly server: Measured
}

export async function measureForwardAuth(rounds: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-forward-'))
  const started: Measured[] = []
  const generator = fork(join(import.meta.dirname, 'forward-load.ts'), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const load = async (asking: Asking): Promise<Sample> => {
    const answer = once(generator, 'message')
    generator.send(asking)
    const [sample] = await answer
    return sample as Sample
  }
  try {
    const contenders = await startContenders(folder, started)
    const measured = new Map<string, Measurement[]>()
    // Round 0 warms compilers and caches; the cold tokens of a round are new to it all the same, since each round has its own.
    for (let round = 0; round <= rounds; round++)
      for (const contender of contenders) {
        const measurement = await measure(contender, round, load)
        if (round > 0) measured.set(contender.name, [...(measured.get(contender.name) ?? []), measurement])
      }
    return contenders.map(({ name }) => rowOf(name, measured.get(name) ?? []))
  } finally {
    generator.kill()
    for (const server of started.toReversed()) await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }

  async function startContenders(home: string, keep: Measured[]): Promise<Contender[]> {
    const gate = await startGate(home, rounds + 1)
    keep.push(gate.server)
    const head = await headOf(gate.origin, gate.warm)
    const port = await freePort()
    const bare = await startNode(join(import.meta.dirname, 'servers/same-head.ts'), [
      String(port),
      JSON.stringify(head),
    ])
    keep.push(bare)
    return [
      { name: 'bare node:http 200', origin: `http://127.0.0.1:${port}`, tokens: [gate.warm], server: bare },
      { name: 'forward-auth, warm', origin: gate.origin, tokens: [gate.warm], server: gate.server },
      { name: 'forward-auth, cold', origin: gate.origin, tokens: gate.cold, server: gate.server },
    ]
  }
}

async function measure(
  { name, origin, tokens, server }: Contender,
  round: number,
  load: (asking: Asking) => Promise<Sample>,
): Promise<Measurement> {
  const own = tokens.length > 1 ? tokens.slice(round * COLD_TOKENS, (round + 1) * COLD_TOKENS) : tokens
  const count = Math.min(SHAPE.count, own.length > 1 ? own.length : SHAPE.count)
  const before = (await server.usage()).cpu
  const sample = await load({ origin, path: '/auth', headers: ASKED, tokens: own, ...SHAPE, count })
  const cpu = ((await server.usage()).cpu - before) / sample.answered
  if (sample.failed > 0)
    throw new Error(`${name}: ${sample.failed} of ${sample.answered} questions were not answered 200.`)
  return { ...sample, cpu }
}

const rowOf = (name: string, all: readonly Measurement[]): Row => ({
  name,
  concurrency: SHAPE.concurrency,
  cpu: median(all.map((one) => one.cpu)),
  rounds: all.map((one) => one.cpu),
  p50: median(all.map((one) => one.p50)),
  p99: median(all.map((one) => one.p99)),
  perSecond: median(all.map((one) => one.perSecond)),
})

/** The product as an operator runs it. Its tokens are signed here with its own key: thousands of people cannot sign in for a bench. */
async function startGate(folder: string, rounds: number) {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const config = {
    server: { url: origin, listen: `127.0.0.1:${port}`, trustedProxies: ['127.0.0.1'] },
    store: { url: `sqlite:${join(folder, 'portcullis.db')}`, directory: join(folder, 'data') },
    oauth: { accessTokenTtl: '2h' },
    forwardAuth: { resources: [{ host: HOST }] },
    policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
    audit: { sink: ['store'] },
    log: { level: 'warn' },
  }
  mkdirSync(config.store.directory, { recursive: true })
  const file = join(folder, 'portcullis.json')
  writeFileSync(file, JSON.stringify(config))
  const store = await openStore(config.store)
  const { id } = await addUser(store, {
    username: 'bench',
    password: 'a long enough pass phrase',
    groups: ['engineering'],
  })
  const keyring = await openKeyring({
    keys: store.durable.keys,
    clock: Date.now,
    rotation: 30 * 24 * 3_600_000,
    longestToken: 2 * 3_600_000,
    onError: (error) => {
      throw error
    },
  })
  const [key] = keyring.signingKeys()
  if (key === undefined) throw new TypeError('no signing key')
  const sign = await signerOf(key, { issuer: origin, subject: id })
  keyring.close()
  await store.close()
  const warm = await sign()
  const cold: string[] = []
  for (let at = 0; at < rounds * COLD_TOKENS; at++) cold.push(await sign())
  const server = await servePortcullis(['--config', file], { cwd: folder })
  return { origin, warm, cold, server }
}

async function signerOf(
  jwk: JWK,
  { issuer, subject }: { issuer: string; subject: string },
): Promise<() => Promise<string>> {
  const key = await importJWK(jwk, 'ES256')
  return () =>
    new SignJWT({ client_id: 'bench', scope: 'mcp:tools', fam: 'bench' })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: String(jwk.kid) })
      .setIssuer(issuer)
      .setSubject(subject)
      .setAudience(`https://${HOST}`)
      .setIssuedAt()
      .setExpirationTime('2h')
      .setJti(randomUUID())
      .sign(key)
}

/** Of one answer: the bare server says the same. */
async function headOf(origin: string, token: string): Promise<string[]> {
  const answer = await fetch(`${origin}/auth`, { headers: { ...ASKED, authorization: `Bearer ${token}` } })
  if (answer.status !== 200) throw new Error(`The gate answered ${answer.status}: ${await answer.text()}`)
  const own = ['connection', 'date', 'keep-alive', 'transfer-encoding']
  return [...answer.headers].filter(([name]) => !own.includes(name)).flat()
}

if (import.meta.main) {
  const rows = await measureForwardAuth(Number(process.env['BENCH_ROUNDS'] ?? 5))
  const [bare] = rows
  for (const { name, cpu, p50, p99, perSecond } of rows) {
    const ratio = (cpu / (bare?.cpu ?? Number.NaN)).toFixed(2)
    process.stdout.write(
      `${name}: ${cpu.toFixed(1)} µs CPU (${ratio} ×), p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, ${Math.round(perSecond)} /s\n`,
    )
  }
}
