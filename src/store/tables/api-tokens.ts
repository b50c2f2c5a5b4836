// The table of API tokens.
import type { ApiTokenNotice, ApiTokenRecord, ApiTokens } from '../api-tokens.ts'
import { number, optionalNumber, optionalText, parseObject, parseTexts, type Row, text } from '../row.ts'
import type { Sql, Value } from '../sql.ts'
import { revocation } from './revocations.ts'

const COLUMNS = `id, name, description, kind, owner, created_by, mask, secret_hash, previous_hash, previous_until,
  scopes, reach, team, conditions, created_at, issued_at, expires_at, last_used_at, revoked_at, revoked_by,
  revoked_reason, rotate_every, rotate_at`
const VALUES = Array.from({ length: 23 }, (_, at) => `$${at + 1}`).join(', ')
// Racers queue at this row until the one before has committed, and then see its token and its name.
const QUEUE = { text: "UPDATE epochs SET n = n + 1 WHERE name = 'api_tokens'", values: [] }
const FREE_NAME = `UPDATE api_tokens SET revoked_at = expires_at, revoked_reason = 'expired'
  WHERE owner = $1 AND name = $2 AND revoked_at IS NULL AND expires_at <= $3`
const LIVING = `SELECT count(*) AS n FROM api_tokens WHERE owner = $1 AND revoked_at IS NULL AND expires_at > $2`
const CREATE = `INSERT INTO api_tokens (${COLUMNS}) SELECT ${VALUES}
  WHERE (SELECT count(*) FROM api_tokens WHERE owner = $5 AND revoked_at IS NULL AND expires_at > $24) < $25
  ON CONFLICT (owner, name) WHERE revoked_at IS NULL DO NOTHING`
const FIND = `SELECT ${COLUMNS} FROM api_tokens WHERE id = $1`
const FIND_BY_SECRET = `SELECT ${COLUMNS} FROM api_tokens WHERE secret_hash = $1
  UNION ALL SELECT ${COLUMNS} FROM api_tokens WHERE previous_hash = $1`
const LIST = `SELECT ${COLUMNS} FROM api_tokens
  WHERE ($1 = '' OR owner = $1) AND expires_at > $2 AND ($3 = 1 OR revoked_at IS NULL)
  ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5`
const RENAME = `UPDATE api_tokens SET name = $2, description = $3 WHERE id = $1 AND NOT EXISTS (
  SELECT 1 FROM api_tokens other WHERE other.owner = api_tokens.owner AND other.name = $2 AND other.id <> $1
    AND other.revoked_at IS NULL)`
const ROTATE = `UPDATE api_tokens SET
    secret_hash = $3, mask = $4, previous_hash = $2, previous_until = $5, issued_at = $6, expires_at = $7, rotate_at = $8,
    expiry_announced_at = NULL, rotation_announced_at = NULL
  WHERE id = $1 AND secret_hash = $2 AND revoked_at IS NULL AND expires_at > $6
    AND (previous_until IS NULL OR previous_until <= $6)
  RETURNING ${COLUMNS}`
const REVOKE = `UPDATE api_tokens SET revoked_at = $2, revoked_by = $3, revoked_reason = $4
  WHERE id = $1 AND revoked_at IS NULL`
const REMOVE = 'DELETE FROM api_tokens WHERE id = $1'
const MARK_USED =
  'UPDATE api_tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)'
// Each notice in its own column; a rotation resets both. That a token ends soon is news in its last quarter, however short it lives.
const ANNOUNCE: Readonly<Record<ApiTokenNotice, string>> = {
  expiry: `UPDATE api_tokens SET expiry_announced_at = $1
    WHERE expiry_announced_at IS NULL AND revoked_at IS NULL AND expires_at > $1 AND expires_at <= $2
      AND (expires_at - $1) * 4 <= expires_at - issued_at RETURNING ${COLUMNS}`,
  rotation: `UPDATE api_tokens SET rotation_announced_at = $1
    WHERE rotation_announced_at IS NULL AND revoked_at IS NULL AND expires_at > $1 AND rotate_at <= $2 RETURNING ${COLUMNS}`,
}
const WITHDRAW: Readonly<Record<ApiTokenNotice, string>> = {
  expiry: 'UPDATE api_tokens SET expiry_announced_at = NULL WHERE id = $1',
  rotation: 'UPDATE api_tokens SET rotation_announced_at = NULL WHERE id = $1',
}
const PAST = `SELECT ${COLUMNS} FROM api_tokens WHERE previous_until <= $1 LIMIT 500`
const END_PREVIOUS = 'UPDATE api_tokens SET previous_until = NULL WHERE id = $1 AND previous_hash = $2'
const REMOVE_DEAD = 'DELETE FROM api_tokens WHERE expires_at <= $1 OR revoked_at <= $1'

export function apiTokens({ durable, relaxed }: { durable: Sql; relaxed: Sql }): ApiTokens {
  const first = async (statement: string, values: Value[]): Promise<ApiTokenRecord | undefined> => {
    const [row] = (await durable.run(statement, values)).rows
    return row && token(row)
  }
  return {
    async create(made, mostLiving) {
      const { owner, name, createdAt } = made
      const outcomes = await durable.together([
        QUEUE,
        { text: FREE_NAME, values: [owner, name, createdAt] },
        { text: LIVING, values: [owner, createdAt] },
        { text: CREATE, values: [...columns(made), createdAt, mostLiving] },
      ])
      const [, , living, created] = outcomes
      if (created?.changes === 1) return 'created'
      const [row] = living?.rows ?? []
      return row !== undefined && number(row, 'n') >= mostLiving ? 'too_many' : 'name_taken'
    },
    find: (id) => first(FIND, [id]),
    findBySecret: (hash) => first(FIND_BY_SECRET, [hash]),
    async list({ owner = '', living, limit, offset }) {
      const values = [owner, living ?? -1, living === undefined ? 1 : 0, limit, offset]
      return (await durable.run(LIST, values)).rows.map(token)
    },
    async rename(id, { name, description }) {
      const acts = [QUEUE, { text: RENAME, values: [id, name, description ?? null] }]
      return (await durable.together(acts)).at(-1)?.changes === 1 ? 'renamed' : 'name_taken'
    },
    rotate: ({ id, oldHash, secretHash, mask, previousUntil, expiresAt, rotateAt, now }) =>
      first(ROTATE, [id, oldHash, secretHash, mask, previousUntil ?? null, now, expiresAt, rotateAt ?? null]),
    async revoke({ id, at, by, reason, expiresAt }) {
      const [revoked] = await durable.together([
        { text: REVOKE, values: [id, at, by, reason ?? null] },
        ...revocation({ kind: 'family', value: id, at, expiresAt }),
      ])
      return revoked?.changes === 1
    },
    async remove(id) {
      await durable.run(REMOVE, [id])
    },
    async markUsed(id, at) {
      await relaxed.run(MARK_USED, [id, at])
    },
    async announce(notice, { now, before }) {
      return (await durable.run(ANNOUNCE[notice], [now, before])).rows.map(token)
    },
    async withdraw(notice, id) {
      await durable.run(WITHDRAW[notice], [id])
    },
    async pastTransitions(now) {
      return (await durable.run(PAST, [now])).rows.map(token)
    },
    async endPrevious(id, hash) {
      await durable.run(END_PREVIOUS, [id, hash])
    },
    async removeDead(before) {
      return (await durable.run(REMOVE_DEAD, [before])).changes
    },
  }
}

const columns = (record: ApiTokenRecord): Value[] => [
  record.id,
  record.name,
  record.description ?? null,
  record.kind,
  record.owner,
  record.createdBy,
  record.mask,
  record.secretHash,
  record.previousHash ?? null,
  record.previousUntil ?? null,
  record.scopes === undefined ? null : JSON.stringify(record.scopes),
  record.reach === undefined ? null : JSON.stringify(record.reach),
  record.team ?? null,
  JSON.stringify(record.conditions),
  record.createdAt,
  record.issuedAt,
  record.expiresAt,
  record.lastUsedAt ?? null,
  record.revokedAt ?? null,
  record.revokedBy ?? null,
  record.revokedReason ?? null,
  record.rotateEvery ?? null,
  record.rotateAt ?? null,
]

const token = (row: Row): ApiTokenRecord => ({
  id: text(row, 'id'),
  name: text(row, 'name'),
  description: optionalText(row, 'description'),
  kind: parseKind(text(row, 'kind')),
  owner: text(row, 'owner'),
  createdBy: text(row, 'created_by'),
  mask: text(row, 'mask'),
  secretHash: text(row, 'secret_hash'),
  previousHash: optionalText(row, 'previous_hash'),
  previousUntil: optionalNumber(row, 'previous_until'),
  scopes: optionalTexts(row, 'scopes'),
  reach: optionalTexts(row, 'reach'),
  team: optionalText(row, 'team'),
  conditions: parseObject(row, 'conditions'),
  createdAt: number(row, 'created_at'),
  issuedAt: number(row, 'issued_at'),
  expiresAt: number(row, 'expires_at'),
  lastUsedAt: optionalNumber(row, 'last_used_at'),
  revokedAt: optionalNumber(row, 'revoked_at'),
  revokedBy: optionalText(row, 'revoked_by'),
  revokedReason: optionalText(row, 'revoked_reason'),
  rotateEvery: optionalNumber(row, 'rotate_every'),
  rotateAt: optionalNumber(row, 'rotate_at'),
})

const optionalTexts = (row: Row, column: string): string[] | undefined =>
  row[column] === null ? undefined : parseTexts(row, column)

function parseKind(kind: string): ApiTokenRecord['kind'] {
  if (kind === 'person' || kind === 'service') return kind
  throw new TypeError(`The stored API token has the unknown kind ${kind}.`)
}
