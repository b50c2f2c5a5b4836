// The vault on the ground of the gateway, and beside a running one for the command line.
import { dirname, join } from 'node:path'
import type { Recorder } from '../audit/event.ts'
import type { Config } from '../config/schema.ts'
import { outboundFetch, type Resolve } from '../http/outbound.ts'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Vault } from '../protocol/vault.ts'
import type { Durable, Keys } from '../store/durable.ts'
import type { Secrets } from '../store/secrets.ts'
import { KEY_USES } from '../tokens/keyring.ts'
import { defaultKey } from '../vault/default-key.ts'
import { openVaultKeyring, type VaultKeyring } from '../vault/keyring.ts'
import { openWrappingKey } from '../vault/kms/open.ts'
import { loadPackage } from '../vault/kms/optional-package.ts'
import { sealClearKeys, sealedKeys } from '../vault/sealed-keys.ts'
import { type OpenVault, openVault } from '../vault/vault.ts'
import type { WrappingKey } from '../vault/wrapping-key.ts'
import type { GatewayNeeds } from './ground.ts'
import { namesOf } from './names.ts'
import { ownActs } from './own-acts.ts'

/** Far above any wrapped key. */
const LARGEST = 64 * 1024

type Settings = Pick<Config, 'vault' | 'store'>

/** Nothing for a database that is no file. */
export const databaseFileOf = ({ url }: Settings['store']): string | undefined =>
  url.startsWith('sqlite:') && url !== 'sqlite::memory:' ? url.slice('sqlite:'.length) : undefined

/** Where the key is that the gate makes itself: beside the database file, so that it goes where that goes. */
export function keyFileOf(store: Settings['store']): string {
  const file = databaseFileOf(store)
  return join(file === undefined ? store.directory : dirname(file), 'vault.key')
}

interface KeyNeeds {
  readonly secrets: Secrets
  readonly clock: Clock
  readonly log: Pick<Log, 'warn'>
  /** What the name of a server means that wraps keys; default: what the system says. */
  readonly resolve?: Resolve | undefined
}

/** Refuses a wrong or missing key. */
export async function openVaultKeys(config: Settings, needs: KeyNeeds): Promise<VaultKeyring> {
  const { secrets, clock } = needs
  return openVaultKeyring({ keys: await wrappingKeys(config, needs), secrets, clock })
}

async function wrappingKeys({ vault, store }: Settings, { secrets, log, resolve }: KeyNeeds): Promise<WrappingKey[]> {
  if (vault.keys.length === 0 && !store.url.startsWith('sqlite:'))
    log.warn(
      {},
      'the key of the vault is a file of this machine, the database is not: name vault.keys before secrets are kept',
    )
  if (vault.keys.length === 0) return [await defaultKey({ path: keyFileOf(store), secrets })]
  const post = outboundFetch({
    allowLoopback: true,
    configured: true,
    maxBytes: LARGEST,
    resolve: namesOf(resolve).resolve,
  })
  return Promise.all(vault.keys.map((key) => openWrappingKey(key, { load: loadPackage, post })))
}

/**
 * The gate's own keys are sealed where that protects them without a risk of its own: with keys that somebody chose, or with one beside a
 * database file, which goes where that goes. A server's database outlives the disk that a key made by itself is on.
 */
function sealsOwnKeys({ vault, store }: Settings): boolean {
  return vault.keys.length > 0 || databaseFileOf(store) !== undefined
}

/** The gate's own keys, opened; those that an earlier version left in clear are sealed first. */
export async function openOwnKeys(config: Settings, keys: Keys, vault: Vault): Promise<Keys> {
  const seals = sealsOwnKeys(config)
  if (seals) await sealClearKeys(keys, KEY_USES, vault)
  return sealedKeys(keys, vault, { seals })
}

interface Beside {
  readonly durable: Pick<Durable, 'secrets' | 'keys'>
  readonly log: Pick<Log, 'warn' | 'error'>
}

/** The same beside a running gate, or before its first start. */
export const withOwnKeys = <Result>(
  config: Settings,
  beside: Beside,
  use: (keys: Keys) => Promise<Result>,
): Promise<Result> =>
  withVault(config, beside, async (vault) => use(await openOwnKeys(config, beside.durable.keys, vault)))

/** Beside a running gate, or before its first start. */
export async function withVault<Result>(
  config: Settings,
  { durable: { secrets }, log }: Beside,
  use: (vault: Vault) => Promise<Result>,
): Promise<Result> {
  const vault = await openVault({
    secrets,
    keyring: await openVaultKeys(config, { secrets, clock: Date.now, log }),
    clock: Date.now,
    tell: async ({ place, reason }) => log.error({ ...place, reason }, UNREADABLE),
    onError: (error) => log.error({ error }, 'the changes of the vault could not be read'),
  })
  try {
    return await use(vault)
  } finally {
    vault.close()
  }
}

const UNREADABLE = 'a secret of the vault does not open'

export async function openGateVault(
  config: Settings,
  { store, clock, log, resolve }: GatewayNeeds,
  recorder: Pick<Recorder, 'act'>,
): Promise<OpenVault> {
  const { secrets } = store.durable
  const record = ownActs(recorder, clock)
  return openVault({
    secrets,
    keyring: await openVaultKeys(config, { secrets, clock, log, resolve }),
    clock,
    async tell({ place: { principal, upstream, field }, version, reason }) {
      const about = { subject: principal, name: `${upstream}/${field}` }
      await record({ act: 'secret_unreadable', decision: 'deny', reason, ...about })
      log.error({ ...about, version, reason }, UNREADABLE)
    },
    onError: (error) => log.error({ error }, 'the changes of the vault could not be read'),
  })
}
