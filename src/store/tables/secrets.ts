// The tables of the vault: sealed secrets and known keys.
import type { SecretMetadata, SecretPlace } from '../../protocol/vault.ts'
import { number, optionalText, type Row, text } from '../row.ts'
import type { FoundSecret, SecretRecord, Secrets, VaultKeyRecord } from '../secrets.ts'
import type { Sql } from '../sql.ts'

const METADATA = 'principal, upstream, field, version, key_id, created_at, updated_at'
const COLUMNS = `${METADATA}, wrapped_key, sealed`
const AT = 'principal = $1 AND upstream = $2 AND field = $3'
// The counter's row stays locked until the commit: whoever has seen n has seen everything below it.
const NUMBER = { text: "UPDATE epochs SET n = n + 1 WHERE name = 'secrets'", values: [] }
const NOW_AT = "(SELECT n FROM epochs WHERE name = 'secrets')"
const EPOCH = `SELECT ${NOW_AT} AS n`
const SINCE = `SELECT e.n AS epoch, s.principal, s.upstream, s.field
  FROM epochs e LEFT JOIN secrets s ON s.n > $1 WHERE e.name = 'secrets'`
const FIND = `SELECT e.n AS epoch, ${COLUMNS} FROM epochs e LEFT JOIN secrets ON ${AT} WHERE e.name = 'secrets'`
// A removal leaves its row without a key; what is put there later begins anew, and its version goes on.
const PUT = `INSERT INTO secrets (${COLUMNS}, n)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, ${NOW_AT})
  ON CONFLICT (principal, upstream, field) DO UPDATE SET
    version = excluded.version, n = excluded.n, key_id = excluded.key_id, wrapped_key = excluded.wrapped_key,
    sealed = excluded.sealed, updated_at = excluded.updated_at,
    created_at = CASE WHEN secrets.key_id IS NULL THEN excluded.created_at ELSE secrets.created_at END
  WHERE secrets.version = $10`
const REMOVE = `UPDATE secrets SET key_id = NULL, wrapped_key = NULL, sealed = NULL, version = version + 1, n = ${NOW_AT},
    updated_at = $4
  WHERE ${AT} AND key_id IS NOT NULL`
const REMOVE_VERSION = `${REMOVE} AND version = $5`
const LIST = `SELECT ${METADATA} FROM secrets WHERE principal = $1 AND key_id IS NOT NULL ORDER BY upstream, field`
const COUNT = 'SELECT key_id, count(*) AS n FROM secrets WHERE key_id IS NOT NULL GROUP BY key_id'
const OTHERWISE = `SELECT ${COLUMNS} FROM secrets
  WHERE key_id <> $1 AND (principal, upstream, field) > ($2, $3, $4)
  ORDER BY principal, upstream, field LIMIT $5`
const REWRAP = `UPDATE secrets SET key_id = $6, wrapped_key = $7, n = ${NOW_AT}
  WHERE ${AT} AND version = $4 AND wrapped_key = $5`
const REMOVE_FORGOTTEN = 'DELETE FROM secrets WHERE key_id IS NULL AND updated_at <= $1'
const KEYS = 'SELECT id, canary, canary_hash, created_at FROM vault_keys ORDER BY created_at, id'
const ENSURE_KEY = `INSERT INTO vault_keys (id, canary, canary_hash, created_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (id) DO NOTHING`
const FIND_KEY = 'SELECT id, canary, canary_hash, created_at FROM vault_keys WHERE id = $1'

export function secrets(sql: Sql): Secrets {
  return {
    async epoch() {
      return number(only((await sql.run(EPOCH, [])).rows), 'n')
    },
    async since(epoch) {
      const { rows } = await sql.run(SINCE, [epoch])
      return {
        epoch: number(only(rows), 'epoch'),
        places: rows.filter((row) => row['principal'] !== null).map(placeOf),
      }
    },
    async find(place) {
      return found(only((await sql.run(FIND, keyOf(place))).rows))
    },
    async put(record, expected) {
      const { version, keyId, createdAt, updatedAt, wrappedKey, sealed } = record
      const values = [...keyOf(record), version, keyId, createdAt, updatedAt, wrappedKey, sealed, expected]
      return (await sql.together([NUMBER, { text: PUT, values }]))[1]?.changes === 1
    },
    async remove(place, { expected, at }) {
      const removal =
        expected === undefined
          ? { text: REMOVE, values: [...keyOf(place), at] }
          : { text: REMOVE_VERSION, values: [...keyOf(place), at, expected] }
      return (await sql.together([NUMBER, removal]))[1]?.changes === 1
    },
    async list(principal) {
      return (await sql.run(LIST, [principal])).rows.map(metadata)
    },
    async countByKey() {
      return new Map((await sql.run(COUNT, [])).rows.map((row) => [text(row, 'key_id'), number(row, 'n')]))
    },
    async wrappedOtherwise(keyId, { after, limit }) {
      // Before every place: none of them begins with an empty name.
      const from = after === undefined ? ['', '', ''] : keyOf(after)
      return (await sql.run(OTHERWISE, [keyId, ...from, limit])).rows.map(record)
    },
    async rewrap(changes) {
      const acts = changes.map(({ version, oldWrappedKey, keyId, wrappedKey, ...place }) => ({
        text: REWRAP,
        values: [...keyOf(place), version, oldWrappedKey, keyId, wrappedKey],
      }))
      const [, ...outcomes] = await sql.together([NUMBER, ...acts])
      return outcomes.reduce((count, { changes: changed }) => count + changed, 0)
    },
    async removeForgotten(before) {
      return (await sql.run(REMOVE_FORGOTTEN, [before])).changes
    },
    async keys() {
      return (await sql.run(KEYS, [])).rows.map(key)
    },
    async ensureKey({ id, canary, canaryHash, createdAt }) {
      await sql.run(ENSURE_KEY, [id, canary, canaryHash, createdAt])
      return key(only((await sql.run(FIND_KEY, [id])).rows))
    },
  }
}

const keyOf = ({ principal, upstream, field }: SecretPlace): [string, string, string] => [principal, upstream, field]

function only(rows: readonly Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('A row of the vault that must be there is missing.')
  return row
}

/** No version is above the number of its change: one above the newest number was never used. */
function found(row: Row): FoundSecret {
  const epoch = number(row, 'epoch')
  if (row['version'] === null) return { record: undefined, expected: 0, next: epoch + 1 }
  const expected = number(row, 'version')
  const isThere = optionalText(row, 'key_id') !== undefined
  return { record: isThere ? record(row) : undefined, expected, next: expected + 1 }
}

const placeOf = (row: Row): SecretPlace => ({
  principal: text(row, 'principal'),
  upstream: text(row, 'upstream'),
  field: text(row, 'field'),
})

const metadata = (row: Row): SecretMetadata => ({
  ...placeOf(row),
  version: number(row, 'version'),
  keyId: text(row, 'key_id'),
  createdAt: number(row, 'created_at'),
  updatedAt: number(row, 'updated_at'),
})

const record = (row: Row): SecretRecord => ({
  ...metadata(row),
  wrappedKey: text(row, 'wrapped_key'),
  sealed: text(row, 'sealed'),
})

const key = (row: Row): VaultKeyRecord => ({
  id: text(row, 'id'),
  canary: text(row, 'canary'),
  canaryHash: text(row, 'canary_hash'),
  createdAt: number(row, 'created_at'),
})
