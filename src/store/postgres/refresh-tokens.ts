// Refresh tokens on PostgreSQL. Each insert holds the family's row, so that a revocation waits for it and then deletes it too.
import type { RefreshActs } from '../tables/refresh-tokens.ts'

const COLUMNS = 'id_hash, family, family_secret, payload, expires_at'
const ADD = `WITH held AS (SELECT id FROM families WHERE id = $2 FOR KEY SHARE)
  INSERT INTO refresh_tokens (${COLUMNS}) SELECT $1, id, $3, $4, $5 FROM held`
// One statement: a racer waits for the winner's row, finds it consumed, and inserts nothing.
const ROTATE = `WITH held AS (SELECT id FROM families WHERE id = $4 FOR KEY SHARE),
  won AS (
    UPDATE refresh_tokens SET consumed_at = $1, successor_hash = $2
    WHERE id_hash = $3 AND consumed_at IS NULL AND expires_at > $1 AND family IN (SELECT id FROM held)
    RETURNING family)
  INSERT INTO refresh_tokens (${COLUMNS}) SELECT $2, family, $5, $6, $7 FROM won`

export const refreshActs: RefreshActs = {
  add: ({ idHash, family, familySecret, payload, expiresAt }) => [
    { text: ADD, values: [idHash, family, familySecret, JSON.stringify(payload), expiresAt] },
  ],
  rotate: ({ oldHash, next, now }) => {
    const { idHash, family, familySecret, expiresAt } = next
    const values = [now, idHash, oldHash, family, familySecret, JSON.stringify(next.payload), expiresAt]
    return [{ text: ROTATE, values }]
  },
}
