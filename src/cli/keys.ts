// `portcullis keys list | rotate`.
import { createLog } from '../observe/log.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { KeyRecord } from '../store/durable.ts'
import { listKeys, rotateSigningKey } from '../tokens/keyring.ts'
import { withOwnKeys } from '../wiring/vault.ts'
import { recordAct } from './act.ts'
import { withStore } from './configuration.ts'
import type { Common } from './options.ts'
import { rotateSecrets, vaultKeyLines } from './vault-keys.ts'

const time = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ')

/** The newest one whose time has come signs; others are accepted, or wait. */
function keyLine(key: KeyRecord, now: number, signs: boolean): string {
  const state =
    key.retireAt !== undefined && key.retireAt <= now
      ? 'retired'
      : key.activeAt > now
        ? `from ${time(key.activeAt)}`
        : signs
          ? 'in use'
          : 'accepted'
  const until = key.retireAt === undefined || key.retireAt <= now ? '' : `, until ${time(key.retireAt)}`
  return `${key.use.padEnd(9)} ${key.id.padEnd(14)} created ${time(key.createdAt)}  ${state}${until}`
}

export function list(options: Common): Promise<void> {
  return withStore(options, async (store, { config }) => {
    const now = Date.now()
    const keys = await listKeys(store.durable.keys)
    if (keys.length === 0)
      throw new OperatorError('There are no keys yet: the first start of `portcullis serve` makes them.')
    for (const key of keys) process.stdout.write(`${keyLine(key, now, signsNow(key, keys, now))}\n`)
    for (const line of await vaultKeyLines(store.durable.secrets, config)) process.stdout.write(`${line}\n`)
  })
}

function signsNow(key: KeyRecord, keys: readonly KeyRecord[], now: number): boolean {
  const active = keys.filter(({ use, activeAt }) => use === key.use && activeAt <= now)
  return active.every(({ activeAt }) => activeAt <= key.activeAt)
}

export interface RotateOptions extends Common {
  readonly now: boolean
  readonly vault: boolean
}

export async function rotate({ now, vault, ...options }: RotateOptions): Promise<void> {
  if (now && vault)
    throw new OperatorError(
      '--now is for a signing key that leaked; the keys of the vault are in vault.keys, the first one seals.',
    )
  await (vault ? rotateSecrets(options) : rotateSigning({ ...options, now }))
}

function rotateSigning(options: Common & { readonly now: boolean }): Promise<void> {
  return withStore(options, async (store, { config }) => {
    const now = Date.now()
    const longestToken = config.oauth.accessTokenTtl
    const log = createLog({ level: config.log.level })
    const key = await withOwnKeys(config, { durable: store.durable, log }, (keys) =>
      rotateSigningKey(keys, { now, longestToken, atOnce: options.now }),
    )
    const reason = options.now ? 'at_once' : 'published_ahead'
    await recordAct(
      { records: store.records, sink: config.audit.sink },
      { act: 'key_rotated', reason, subject: key.id },
    )
    const effect = options.now
      ? 'Running gates sign with it within a minute, and accept no token of older keys from then on.'
      : `It signs from ${time(key.activeAt)} on. Running gates read it within a minute.`
    // Standard output carries lines of the record alone, as it does in a running gate.
    process.stderr.write(`New signing key ${key.id}. ${effect}\n`)
  })
}
