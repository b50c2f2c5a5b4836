// The vault on the ground of the gateway, and beside a running one for the command line.
import { join } from 'node:path'
import type { Recorder } from '../audit/event.ts'
import type { Config } from '../config/schema.ts'
import { outboundFetch } from '../http/outbound.ts'
import { requestIds } from '../http/request-id.ts'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Secrets } from '../store/secrets.ts'
import { defaultKey } from '../vault/default-key.ts'
import { openVaultKeyring, type VaultKeyring } from '../vault/keyring.ts'
import { openWrappingKey } from '../vault/kms/open.ts'
import { loadPackage } from '../vault/kms/optional-package.ts'
import { type OpenVault, openVault } from '../vault/vault.ts'
import type { WrappingKey } from '../vault/wrapping-key.ts'
import type { GatewayNeeds } from './ground.ts'

/** Far above any wrapped key. */
const LARGEST = 64 * 1024

interface KeyNeeds {
  readonly secrets: Secrets
  readonly clock: Clock
  readonly log: Pick<Log, 'warn'>
}

/** Refuses a wrong or missing key. */
export async function openVaultKeys(config: Pick<Config, 'vault' | 'store'>, needs: KeyNeeds): Promise<VaultKeyring> {
  const { secrets, clock } = needs
  return openVaultKeyring({ keys: await wrappingKeys(config, needs), secrets, clock })
}

async function wrappingKeys(
  { vault, store }: Pick<Config, 'vault' | 'store'>,
  { secrets, log }: KeyNeeds,
): Promise<WrappingKey[]> {
  const onOpenFile = (path: string) =>
    log.warn({ path }, 'others on this machine may read a key of the vault: chmod 600')
  if (vault.keys.length === 0)
    return [await defaultKey({ path: join(store.directory, 'vault.key'), secrets, onOpenFile })]
  const post = outboundFetch({ allowLoopback: true, configured: true, maxBytes: LARGEST })
  return Promise.all(vault.keys.map((key) => openWrappingKey(key, { load: loadPackage, post, onOpenFile })))
}

export async function openGateVault(
  config: Pick<Config, 'vault' | 'store'>,
  { store, clock, log }: GatewayNeeds,
  recorder: Pick<Recorder, 'act'>,
): Promise<OpenVault> {
  const { secrets } = store.durable
  const nextId = requestIds()
  return openVault({
    secrets,
    keyring: await openVaultKeys(config, { secrets, clock, log }),
    clock,
    async tell({ place: { principal, upstream, field }, version, reason }) {
      const now = clock()
      const about = { subject: principal, name: `${upstream}/${field}` }
      const act = { kind: 'act', act: 'secret_unreadable', decision: 'deny', reason } as const
      await recorder.act({ ...act, ...about, id: nextId(now), time: new Date(now).toISOString() })
      log.error({ ...about, version, reason }, 'a secret of the vault does not open')
    },
    onError: (error) => log.error({ error }, 'the changes of the vault could not be read'),
  })
}
