// The gate's own keys (those that sign, seal and hash) with their material in the vault: the store's table keeps a mark in its place.
import { OperatorError } from '../protocol/errors.ts'
import { type SecretPlace, SecretUnreadable, type Vault } from '../protocol/vault.ts'
import type { KeyRecord, Keys, KeyUse } from '../store/durable.ts'

/** No material looks like it: they are JSON or base64url. */
const MARK = 'vault:'

// A colon is in no server's id.
const placeOf = (id: string): SecretPlace => ({ principal: 'portcullis', upstream: ':keyring', field: id })

type KeyVault = Pick<Vault, 'put' | 'get' | 'remove'>

/** `seals`: new ones, too. What is sealed opens either way: a mark is never taken for a key. */
export function sealedKeys(keys: Keys, vault: KeyVault, { seals }: { seals: boolean }): Keys {
  const openAll = (records: readonly KeyRecord[]) => Promise.all(records.map((record) => open(record, vault)))
  // The material first: a row whose material is not there yet would be seen.
  async function seal(key: KeyRecord): Promise<KeyRecord> {
    await vault.put(placeOf(key.id), Buffer.from(key.material))
    return { ...key, material: MARK }
  }
  const list = async (use: KeyUse) => openAll(await keys.list(use))
  if (!seals) return { ...keys, list, ensure: async (made) => openAll(await keys.ensure(made)) }
  return {
    list,
    async ensure(made) {
      const present = await keys.list(made.use)
      if (present.length > 0) return openAll(present)
      const there = await keys.ensure(await seal(made))
      // Another replica was faster: ours is nobody's key.
      if (there.every(({ id }) => id !== made.id)) await vault.remove(placeOf(made.id))
      return openAll(there)
    },
    async add(key) {
      await keys.add(await seal(key))
    },
    replaceMaterial: keys.replaceMaterial,
    retire: keys.retire,
  }
}

async function open(record: KeyRecord, vault: KeyVault): Promise<KeyRecord> {
  if (record.material !== MARK) return record
  const opened = await vault.get(placeOf(record.id)).catch((cause: unknown) => {
    throw cause instanceof SecretUnreadable ? closed(record, cause.message, cause) : cause
  })
  if (opened === undefined) throw closed(record, 'The vault does not have it.')
  return { ...record, material: opened.secret.toString() }
}

const closed = ({ id, use }: KeyRecord, why: string, cause?: unknown) =>
  new OperatorError(
    `The gate’s own key ${id} (${use}) does not open: ${why} Nothing was changed. Restore the store and the keys of the vault ` +
      'from one backup.',
    { cause },
  )

/** Keys of an earlier version stand in clear. Each is in the vault before its row changes: ended anywhere, nothing is lost. */
export async function sealClearKeys(keys: Keys, uses: readonly KeyUse[], vault: KeyVault): Promise<number> {
  let sealed = 0
  for (const use of uses)
    for (const { id, material } of await keys.list(use)) {
      if (material === MARK) continue
      await keepOnce(id, material, vault)
      if (await keys.replaceMaterial(id, material, MARK)) sealed++
    }
  return sealed
}

/** Another replica, or a start that was ended, may have put it there already: then it is the same. */
async function keepOnce(id: string, material: string, vault: KeyVault): Promise<void> {
  const stored = await vault.put(placeOf(id), Buffer.from(material), { expectedVersion: 0 })
  if (stored.status === 'stored') return
  const there = await vault.get(placeOf(id))
  if (there?.secret.toString() !== material)
    throw new OperatorError(`The vault holds another material for the key ${id} than the store. Nothing was changed.`)
}
