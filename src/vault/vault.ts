// The vault: secrets in, and out by their place alone. What was opened is kept for a while and dropped when it changes anywhere.
import type { Clock } from '../protocol/clock.ts'
import { type SecretPlace, SecretUnreadable, type UnreadableReason, type Vault } from '../protocol/vault.ts'
import type { FoundSecret, Secrets } from '../store/secrets.ts'
import { checkPlace } from './envelope.ts'
import type { VaultKeyring } from './keyring.ts'
import { nameOf, type OpenedSecret, openedSecrets } from './opened.ts'
import { openRecord, sealRecord } from './record.ts'

const POLL = 2000
/** Without an answer of the store for so long, what is kept may have been removed meanwhile. */
const STALE_AFTER = 60_000
/** Readers poll every few seconds; those that could not for a day have begun anew. */
const REMOVALS_KEPT = 24 * 3_600_000
const MOST_OPENED = 1000
const MOST_VERSIONS = 100_000

export interface Unreadable {
  readonly place: SecretPlace
  readonly version: number
  readonly reason: UnreadableReason
}

export interface OpenVault extends Vault {
  /** Reads what changed since; for a timer, and for tests that do not wait for it. */
  poll(): Promise<void>
  close(): void
}

interface Needs {
  readonly secrets: Pick<Secrets, 'epoch' | 'since' | 'find' | 'put' | 'remove' | 'list' | 'removeForgotten'>
  readonly keyring: VaultKeyring
  readonly clock: Clock
  readonly mostOpened?: number
  /** A secret that does not open: told once a version. Resolves once the event is recorded. */
  tell(unreadable: Unreadable): Promise<void>
  onError(error: unknown): void
}

export async function openVault(needs: Needs): Promise<OpenVault> {
  const { secrets, keyring, clock, tell, onError } = needs
  const opened = openedSecrets(needs.mostOpened ?? MOST_OPENED)
  const opening = new Map<string, Promise<OpenedSecret | undefined>>()
  /** Highest version seen, by place: a lower one later is a row put back as it once was. */
  const seen = new Map<string, number>()
  const told = new Map<string, number>()
  let epoch = await secrets.epoch()
  let changes = 0
  // Monotonic: a clock that jumps must not make what is kept look fresh.
  let answeredAt = performance.now()

  function drop(place: SecretPlace): void {
    changes++
    opened.drop(place)
    opening.delete(nameOf(place))
  }

  async function poll(): Promise<void> {
    const news = await secrets.since(epoch)
    answeredAt = performance.now()
    for (const place of news.places) drop(place)
    // The store was put back to what it once was: nothing that is kept is known to be of that time.
    if (news.epoch < epoch) dropAll()
    epoch = news.epoch
  }

  function dropAll(): void {
    changes++
    opened.clear()
    opening.clear()
  }

  async function refuse(unreadable: Unreadable, error: SecretUnreadable): Promise<never> {
    const name = nameOf(unreadable.place)
    if (told.get(name) !== unreadable.version && error.reason !== 'vault_key_unavailable') {
      await tell(unreadable)
      remember(told, name, unreadable.version)
    }
    throw error
  }

  const isOlder = (place: SecretPlace, { record, expected }: FoundSecret): boolean =>
    record !== undefined && expected < (seen.get(nameOf(place)) ?? 0)

  function noteVersion(place: SecretPlace, version: number): void {
    const name = nameOf(place)
    remember(seen, name, Math.max(version, seen.get(name) ?? 0))
  }

  /** An answer that a change has overtaken on its way is older, too: asked again, it is not. */
  async function find(place: SecretPlace): Promise<FoundSecret> {
    const found = await secrets.find(place)
    return isOlder(place, found) ? secrets.find(place) : found
  }

  async function open(place: SecretPlace): Promise<OpenedSecret | undefined> {
    const before = changes
    const found = await find(place)
    try {
      if (isOlder(place, found)) throw replayed()
      const secret = found.record && (await openRecord(keyring, found.record))
      noteVersion(place, found.expected)
      if (secret === undefined) return undefined
      const made = { version: found.expected, secret }
      // Changed while it was opened: good for this caller, who asked before, and for nobody later.
      if (before === changes) opened.keep(place, made)
      return made
    } catch (error) {
      if (!(error instanceof SecretUnreadable)) throw error
      return refuse({ place, version: found.expected, reason: error.reason }, error)
    }
  }

  /** Asked for by many at once, it is opened once. */
  function openOnce(place: SecretPlace): Promise<OpenedSecret | undefined> {
    const name = nameOf(place)
    const running = opening.get(name)
    if (running !== undefined) return running
    const begun = open(place).finally(() => {
      if (opening.get(name) === begun) opening.delete(name)
    })
    opening.set(name, begun)
    // Everybody who waited for it has a copy before the next turn.
    void begun.then(
      (made) => setImmediate(() => made?.secret.fill(0)),
      () => undefined,
    )
    return begun
  }

  const timer = setInterval(() => void poll().catch(onError), POLL)
  const sweep = setInterval(
    () => void secrets.removeForgotten(clock() - REMOVALS_KEPT).catch(onError),
    REMOVALS_KEPT / 24,
  )
  timer.unref()
  sweep.unref()

  return {
    async get(given) {
      const place = placeOf(given)
      const isFresh = performance.now() - answeredAt <= STALE_AFTER
      const kept = isFresh ? opened.find(place) : undefined
      if (kept !== undefined) return kept
      const made = await openOnce(place)
      return made && { version: made.version, secret: Buffer.from(made.secret) }
    },
    async put(given, secret, { expectedVersion } = {}) {
      const place = placeOf(given)
      for (;;) {
        const { record, expected, next } = await secrets.find(place)
        if (expectedVersion !== undefined && expectedVersion !== (record?.version ?? 0)) return { status: 'conflict' }
        const sealed = await sealRecord(keyring, { place, version: next, secret })
        const now = clock()
        const made = { ...place, version: next, ...sealed, createdAt: now, updatedAt: now }
        const stored = await secrets.put(made, expected)
        drop(place)
        if (stored) {
          noteVersion(place, next)
          return { status: 'stored', version: next }
        }
        // Somebody else was faster, so it is their version that this one now follows.
        if (expectedVersion !== undefined) return { status: 'conflict' }
      }
    },
    async remove(given, { expectedVersion } = {}) {
      const place = placeOf(given)
      const removed = await secrets.remove(place, { expected: expectedVersion, at: clock() })
      drop(place)
      return removed
    },
    list: (principal) => secrets.list(principal),
    poll,
    close() {
      clearInterval(timer)
      clearInterval(sweep)
      opened.clear()
    },
  }
}

const replayed = () =>
  new SecretUnreadable('secret_replayed', 'A newer version of the secret was seen here before: this one was put back.')

/** Of what was handed in, the place alone. */
function placeOf({ principal, upstream, field }: SecretPlace): SecretPlace {
  const place = { principal, upstream, field }
  checkPlace(place)
  return place
}

function remember(versions: Map<string, number>, name: string, version: number): void {
  versions.delete(name)
  versions.set(name, version)
  const [oldest] = versions.keys()
  if (versions.size > MOST_VERSIONS && oldest !== undefined) versions.delete(oldest)
}
