// The keys we sign and seal with: made once, published before they sign, kept until nothing signed with them lives.
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { JWK } from 'jose'
import type { Clock } from '../protocol/clock.ts'
import type { KeyRecord, Keys, KeyUse } from '../store/durable.ts'

/** A new signing key stands in the JWKS this long before it signs, so that verifiers with a cached copy know it. */
const PUBLISH_AHEAD = 24 * 3_600_000
const REFRESH = 60_000

export interface SealKey {
  readonly id: string
  readonly key: Buffer
}

export interface Keyring {
  /** Private JWKs: the one that signs first, then older ones still accepted, then published-ahead ones. */
  signingKeys(): JWK[]
  /** Newest first: the first signs cookies, all are accepted. */
  cookieKeys(): string[]
  sealKeys(): SealKey[]
  /** Signs the tokens of our forms; changes with the cookie key. */
  formSecret(): string
  /** Derives successors of refresh tokens; never rotates while a family made with it lives. */
  refreshSecret(): string
  /** Hashes the secrets of API tokens; never rotates while one of them lives. */
  apiTokenSecret(): string
  onRotation(listener: () => void): void
  /** Reads the store again and rotates what is due. */
  refresh(): Promise<void>
  close(): void
}

export function newKey(use: KeyUse, now: number, activeAt: number): KeyRecord {
  const id = randomBytes(9).toString('base64url')
  if (use !== 'signing')
    return { id, use, material: randomBytes(32).toString('base64url'), createdAt: now, activeAt, retireAt: undefined }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid: id, alg: 'ES256', use: 'sig' }
  return { id, use, material: JSON.stringify(jwk), createdAt: now, activeAt, retireAt: undefined }
}

const alive = (key: KeyRecord, now: number): boolean => key.retireAt === undefined || key.retireAt > now
const newestFirst = (a: KeyRecord, b: KeyRecord): number => b.activeAt - a.activeAt || (a.id < b.id ? -1 : 1)

export const KEY_USES: readonly KeyUse[] = ['signing', 'cookie', 'seal', 'refresh', 'api-token']

export async function listKeys(keys: Keys): Promise<KeyRecord[]> {
  return (await Promise.all(KEY_USES.map((use) => keys.list(use)))).flat()
}

/** Adds a signing key that takes over after the publish-ahead time (`atOnce`: at once, when a key leaked); the older ones retire once their tokens are dead. */
export async function rotateSigningKey(
  keys: Keys,
  options: { now: number; longestToken: number; atOnce?: boolean },
): Promise<KeyRecord> {
  const { now, longestToken, atOnce = false } = options
  const activeAt = atOnce ? now : now + PUBLISH_AHEAD
  // What leaked may be a key that was to retire anyway, a day from now: the one that signs while its successor is published.
  const older = (await keys.list('signing')).filter((key) => (atOnce ? alive(key, now) : key.retireAt === undefined))
  const next = newKey('signing', now, activeAt)
  await keys.add(next)
  for (const key of older) await keys.retire(key.id, atOnce ? now : activeAt + longestToken + REFRESH * 2)
  return next
}

function known(key: KeyRecord | undefined): string {
  if (!key) throw new TypeError('The keyring is empty.')
  return key.material
}

/** For a command that runs beside the gate, or before its first start. */
export async function ensureApiTokenSecret(keys: Keys, now: number): Promise<string> {
  return known((await keys.ensure(newKey('api-token', now, now))).sort(newestFirst).at(-1))
}

interface Needs {
  readonly keys: Keys
  readonly clock: Clock
  readonly rotation: number
  readonly longestToken: number
  onError(error: unknown): void
}

export async function openKeyring({ keys, clock, rotation, longestToken, onError }: Needs): Promise<Keyring> {
  let held: Record<'signing' | 'cookie' | 'seal' | 'refresh' | 'apiToken', KeyRecord[]>
  let published = ''
  const listeners: (() => void)[] = []

  async function read(): Promise<void> {
    const now = clock()
    const ensure = async (use: KeyUse) =>
      (await keys.ensure(newKey(use, now, now))).filter((key) => alive(key, now)).sort(newestFirst)
    held = {
      signing: await ensure('signing'),
      cookie: await ensure('cookie'),
      seal: await ensure('seal'),
      refresh: await ensure('refresh'),
      apiToken: await ensure('api-token'),
    }
  }

  /** Signer first: the newest key whose time has come. */
  function ordered(): KeyRecord[] {
    const now = clock()
    const active = held.signing.filter((key) => key.activeAt <= now)
    return [...active, ...held.signing.filter((key) => key.activeAt > now)]
  }

  async function refresh(): Promise<void> {
    await read()
    const newest = held.signing[0]
    if (newest && clock() - newest.activeAt > rotation - PUBLISH_AHEAD) {
      await rotateSigningKey(keys, { now: clock(), longestToken })
      await read()
    }
    const order = ordered()
      .map((key) => key.id)
      .join()
    if (order === published) return
    const first = published === ''
    published = order
    if (!first) for (const listener of listeners) listener()
  }

  await refresh()
  const timer = setInterval(() => void refresh().catch(onError), REFRESH)
  timer.unref()
  return {
    signingKeys: () => ordered().map((key) => JSON.parse(key.material) as JWK),
    cookieKeys: () => held.cookie.map((key) => key.material),
    sealKeys: () => held.seal.map((key) => ({ id: key.id, key: Buffer.from(key.material, 'base64url') })),
    formSecret: () => createHmac('sha256', known(held.cookie[0])).update('form').digest('base64url'),
    // The oldest one: a second replica that started at the same time must derive the same successors.
    refreshSecret: () => known(held.refresh.at(-1)),
    apiTokenSecret: () => known(held.apiToken.at(-1)),
    onRotation: (listener) => void listeners.push(listener),
    refresh,
    close: () => clearInterval(timer),
  }
}
