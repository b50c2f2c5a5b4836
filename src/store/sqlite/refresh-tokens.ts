// Refresh tokens on SQLite, whose writers come one after the other.
import type { RefreshActs } from '../tables/refresh-tokens.ts'

const COLUMNS = 'id_hash, family, family_secret, payload, expires_at'
const ADD = `INSERT INTO refresh_tokens (${COLUMNS}) SELECT $1, id, $3, $4, $5 FROM families WHERE id = $2`
const CONSUME = `UPDATE refresh_tokens SET consumed_at = $1, successor_hash = $2
  WHERE id_hash = $3 AND consumed_at IS NULL AND expires_at > $1 AND EXISTS (SELECT 1 FROM families WHERE id = family)`
// Only where the statement before it has won.
const INSERT_NEXT = `INSERT INTO refresh_tokens (${COLUMNS}) SELECT $1, $2, $3, $4, $5 WHERE changes() = 1`

export const refreshActs: RefreshActs = {
  add: ({ idHash, family, familySecret, payload, expiresAt }) => [
    { text: ADD, values: [idHash, family, familySecret, JSON.stringify(payload), expiresAt] },
  ],
  rotate: ({ oldHash, next, now }) => [
    { text: CONSUME, values: [now, next.idHash, oldHash] },
    {
      text: INSERT_NEXT,
      values: [next.idHash, next.family, next.familySecret, JSON.stringify(next.payload), next.expiresAt],
    },
  ],
}
