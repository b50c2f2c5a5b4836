// `portcullis keys rotate --vault`, and the vault's lines of `keys list`.
import type { Config } from '../config/schema.ts'
import { createLog } from '../observe/log.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { Secrets, VaultKeyRecord } from '../store/secrets.ts'
import { defaultKeyId } from '../vault/default-key.ts'
import { readKeyFile } from '../vault/key-file.ts'
import { type Rotation, type RotationProgress, rotateVault } from '../vault/rotate.ts'
import { keyFileOf, openVaultKeys } from '../wiring/vault.ts'
import { recordAct } from './act.ts'
import { withStore } from './configuration.ts'
import type { Common } from './options.ts'

type Settings = Pick<Config, 'vault' | 'store'>

const say = (text: string): void => void process.stderr.write(`${text}\n`)

/** Ids of the configured keys, the one that seals first. */
function configuredIds({ vault, store }: Settings): string[] {
  if (vault.keys.length > 0) return vault.keys.map(({ id }) => id)
  const key = readKeyFile(keyFileOf(store))
  return key === undefined ? [] : [defaultKeyId(key)]
}

export async function vaultKeyLines(secrets: Secrets, settings: Settings): Promise<string[]> {
  const ids = configuredIds(settings)
  const counts = await secrets.countByKey()
  return (await secrets.keys()).map((key) => vaultKeyLine(key, ids, counts.get(key.id) ?? 0))
}

function vaultKeyLine({ id, createdAt }: VaultKeyRecord, ids: readonly string[], count: number): string {
  const time = new Date(createdAt).toISOString().slice(0, 16).replace('T', ' ')
  const state = id === ids[0] ? 'seals' : ids.includes(id) ? 'opens' : 'not in vault.keys'
  return `vault     ${id.padEnd(14)} known since ${time}  ${state}, ${amount(count)}`
}

const amount = (count: number): string => (count === 1 ? '1 secret' : `${count} secrets`)

export function rotateSecrets(options: Common): Promise<void> {
  return withStore(options, async ({ durable: { secrets }, records }, { config }) => {
    await checkLoaded(secrets, config)
    const log = createLog({ level: config.log.level })
    const keyring = await openVaultKeys(config, { secrets, clock: Date.now, log })
    const rotation = await rotateVault({ secrets, keyring, onProgress: progressOf(keyring.first.id) })
    const subject = keyring.first.id
    const name = amount(rotation.moved)
    await recordAct({ records, sink: config.audit.sink }, { act: 'vault_rotated', reason: 'rewrapped', subject, name })
    tellEnd(rotation, configuredIds(config))
  })
}

/** A gate that does not have the key yet could not open what is moved to it. */
async function checkLoaded(secrets: Secrets, config: Settings): Promise<void> {
  const [first] = configuredIds(config)
  const known = await secrets.keys()
  if (first !== undefined && known.some(({ id }) => id === first)) return
  throw new OperatorError(
    `No gate has started with ${first ?? 'a key of the vault'} yet, and what is moved to it could not be opened. Let every gate ` +
      'read this configuration first (it does by itself when the file changes), then run this again.',
  )
}

/** A line a twentieth, however many there are. */
function progressOf(id: string): (progress: RotationProgress) => void {
  let told = 0
  return ({ done, total }) => {
    const part = Math.floor((20 * done) / Math.max(total, 1))
    if (part === told) return
    told = part
    say(`Moved ${done} of ${amount(total)} to ${id}.`)
  }
}

function tellEnd({ moved, unmoved, counts }: Rotation, ids: readonly string[]): void {
  const [first = '', ...others] = ids
  say(`${amount(moved)} moved; ${amount(counts.get(first) ?? 0)} sealed with ${first}.`)
  for (const id of others)
    if (counts.has(id)) say(`${id} still seals ${amount(counts.get(id) ?? 0)}: keep it in vault.keys.`)
    else
      say(
        `Nothing is sealed with ${id} any more: take it out of vault.keys. Keep it elsewhere for as long as you keep backups made before now.`,
      )
  if (others.length === 0 && moved === 0)
    say('There is one key. To replace it, put a new one before it in vault.keys, and run this again.')
  if (unmoved.length === 0) return
  const named = unmoved
    .slice(0, 10)
    .map(({ principal, upstream, field, reason }) => `  ${principal} ${upstream}/${field} (${reason})`)
  throw new OperatorError(
    `${amount(unmoved.length)} did not open and stayed as they are. Remove them, or restore them from a backup:\n${named.join('\n')}`,
  )
}
