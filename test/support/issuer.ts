// Another authorization server in a test's hands: publishes metadata and keys, answers introspection, signs whatever it is told to, and
// can be made slow, huge, wrong or silent. What it is asked is written down.
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { encode, type Members } from './forge.ts'

export interface SigningKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** As published. */
  readonly jwk: Members
}

type Answer = (req: IncomingMessage, res: ServerResponse, body: string) => void

export interface TestIssuer {
  /** `http://127.0.0.1:PORT` and the path it was given. */
  readonly issuer: string
  readonly origin: string
  /** Paths it was asked for, in order; introspections as `POST /introspect`. */
  readonly asked: string[]
  /** The key that signs now. */
  readonly key: SigningKey
  /** What it publishes instead of its keys. */
  keySet: unknown
  /** Over the members of its metadata. */
  metadata: Members
  /** What it says of a token that it is asked about. */
  introspection(token: string): Members
  /** Answers anything before the usual answers do; by path. */
  readonly instead: Map<string, Answer>
  /** A new key signs from now on, and is published beside the old one. */
  rotate(): SigningKey
  countOf(path: string): number
  /** Nobody is at the address; `up` brings it back there. */
  down(): Promise<void>
  up(): Promise<void>
  close(): Promise<void>
}

export interface Bent {
  /** Over the usual members; `undefined` leaves one out. */
  readonly header?: Members
  readonly claims?: Members
  readonly key?: SigningKey
  readonly signature?: (input: Buffer) => Buffer
  /** The exact text in place of the members. */
  readonly claimsText?: string
  readonly headerText?: string
}

export function signingKey(kid: string = randomUUID()): SigningKey {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' }
  return { kid, ...pair, jwk }
}

/** ES256, unless a key or a signature of another kind is given. */
export function signedBy(key: SigningKey, header: Members, claims: Members, bent: Bent = {}): string {
  const head = bent.headerText ?? JSON.stringify({ alg: 'ES256', kid: key.kid, ...header, ...bent.header })
  const body = bent.claimsText ?? JSON.stringify({ ...claims, ...bent.claims })
  const input = `${encode(head)}.${encode(body)}`
  const own = (bytes: Buffer) => sign('sha256', bytes, { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${encode((bent.signature ?? own)(Buffer.from(input)))}`
}

export async function startIssuer({ path = '' }: { path?: string } = {}): Promise<TestIssuer> {
  let [server, port] = [createServer(), 0]
  const asked: string[] = []
  const instead = new Map<string, Answer>()
  const keys = [signingKey()]
  const open = async (at: number) => {
    server = createServer((req, res) => void handle(req, res))
    await new Promise<void>((resolve, reject) => server.listen(at, '127.0.0.1', resolve).once('error', reject))
    port = (server.address() as AddressInfo).port
  }
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await open(0)
  const origin = `http://127.0.0.1:${port}`
  const issuer = origin + path

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const at = req.url ?? ''
    asked.push(req.method === 'GET' ? at : `${req.method} ${at}`)
    const body = Buffer.concat(await req.toArray()).toString()
    const answer = instead.get(at) ?? usual.get(at)
    if (answer) answer(req, res, body)
    else res.writeHead(404).end()
  }
  const json = (res: ServerResponse, value: unknown) =>
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  const document = () => ({
    issuer,
    jwks_uri: `${issuer}/jwks`,
    introspection_endpoint: `${issuer}/introspect`,
    ...started.metadata,
  })
  const usual = new Map<string, Answer>([
    [`${path}/.well-known/openid-configuration`, (_req, res) => void json(res, document())],
    [`${path}/jwks`, (_req, res) => void json(res, started.keySet)],
    [
      `${path}/introspect`,
      (req, res, body) => {
        const known = `Basic ${Buffer.from('gate:a+secret').toString('base64')}`
        if (req.headers.authorization !== known) return void res.writeHead(401).end()
        json(res, started.introspection(new URLSearchParams(body).get('token') ?? ''))
      },
    ],
  ])

  const started: TestIssuer = {
    issuer,
    origin,
    asked,
    instead,
    metadata: {},
    keySet: { keys: keys.map(({ jwk }) => jwk) },
    introspection: () => ({ active: false }),
    get key() {
      return keys.at(-1) ?? signingKey()
    },
    rotate() {
      const key = signingKey()
      keys.push(key)
      started.keySet = { keys: keys.map(({ jwk }) => jwk) }
      return key
    },
    countOf: (at) => asked.filter((one) => one === at).length,
    down: close,
    up: () => open(port),
    close,
  }
  return started
}

/** The introspection client that it knows: its secret needs the form encoding of RFC 6749 §2.3.1. */
export const INTROSPECTION_CLIENT = { clientId: 'gate', clientSecret: 'a secret' }
