// The table of people. An account is (issuer, identity), byte for byte; never the e-mail (OpenID Connect Core §5.7).
import type { UserRecord, Users } from '../durable.ts'
import { flag, number, optionalText, parseObject, parseTexts, type Row, text } from '../row.ts'
import type { Sql, Value } from '../sql.ts'

const COLUMNS = `id, issuer, identity, email, email_verified, name, groups, roles, teams, claims,
  administrator, disabled, password_hash, created_at, updated_at`
const VALUES = '$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15'
// What an identity provider tells may change; what we decided about the account (id, administrator, disabled) may not.
const UPSERT = `INSERT INTO users (${COLUMNS}) VALUES (${VALUES})
  ON CONFLICT (issuer, identity) DO UPDATE SET
    email = excluded.email, email_verified = excluded.email_verified, name = excluded.name,
    groups = excluded.groups, roles = excluded.roles, teams = excluded.teams, claims = excluded.claims,
    updated_at = excluded.updated_at
  RETURNING ${COLUMNS}`
const FIND = `SELECT ${COLUMNS} FROM users WHERE id = $1`
const FIND_BY_EMAIL = `SELECT ${COLUMNS} FROM users WHERE email = $1 AND email_verified = 1 LIMIT 2`
const FIND_BY_IDENTITY = `SELECT ${COLUMNS} FROM users WHERE issuer = $1 AND identity = $2`
// Racers queue at this row until the one before has committed, and then see its administrator.
const QUEUE = "UPDATE epochs SET n = n + 1 WHERE name = 'administrators'"
const INSERT_FIRST = `INSERT INTO users (${COLUMNS}) SELECT ${VALUES}
  WHERE NOT EXISTS (SELECT 1 FROM users WHERE administrator = 1)
  ON CONFLICT (issuer, identity) DO NOTHING`
const HAS_ADMINISTRATOR = 'SELECT 1 AS found FROM users WHERE administrator = 1 LIMIT 1'
const SET_DISABLED = 'UPDATE users SET disabled = $2, updated_at = $3 WHERE id = $1'

export function users(sql: Sql): Users {
  const first = async (statement: string, values: Value[]): Promise<UserRecord | undefined> => {
    const [row] = (await sql.run(statement, values)).rows
    return row && user(row)
  }
  return {
    find: (id) => first(FIND, [id]),
    findByIdentity: (issuer, identity) => first(FIND_BY_IDENTITY, [issuer, checkText(identity)]),
    async findOnlyByEmail(email) {
      const { rows } = await sql.run(FIND_BY_EMAIL, [checkText(email)])
      return rows.length === 1 && rows[0] ? user(rows[0]) : undefined
    },
    async upsertByIdentity(told) {
      const stored = await first(UPSERT, columns(told))
      if (stored === undefined) throw new Error('The upsert of an account answered nothing.')
      return stored
    },
    async createFirstAdministrator(person) {
      const acts = [
        { text: QUEUE, values: [] },
        { text: INSERT_FIRST, values: columns(person) },
      ]
      return (await sql.together(acts)).at(-1)?.changes === 1
    },
    hasAdministrator: async () => (await sql.run(HAS_ADMINISTRATOR, [])).rows.length > 0,
    async setDisabled(id, disabled, at) {
      await sql.run(SET_DISABLED, [id, disabled ? 1 : 0, at])
    },
  }
}

// UTF-8 has no lone surrogate: on the way to the database each would become U+FFFD, and two people one account.
function checkText(identity: string): string {
  if (!identity.isWellFormed()) throw new RangeError('An identity is not well-formed Unicode.')
  return identity
}

const columns = (record: UserRecord): Value[] => [
  record.id,
  record.issuer,
  checkText(record.identity),
  record.email ?? null,
  record.emailVerified ? 1 : 0,
  record.name ?? null,
  JSON.stringify(record.groups),
  JSON.stringify(record.roles),
  JSON.stringify(record.teams),
  record.claims === undefined ? null : JSON.stringify(record.claims),
  record.administrator ? 1 : 0,
  record.disabled ? 1 : 0,
  record.passwordHash ?? null,
  record.createdAt,
  record.updatedAt,
]

const user = (row: Row): UserRecord => ({
  id: text(row, 'id'),
  issuer: text(row, 'issuer'),
  identity: text(row, 'identity'),
  email: optionalText(row, 'email'),
  emailVerified: flag(row, 'email_verified'),
  name: optionalText(row, 'name'),
  groups: parseTexts(row, 'groups'),
  roles: parseTexts(row, 'roles'),
  teams: parseTexts(row, 'teams'),
  claims: row['claims'] === null ? undefined : parseObject(row, 'claims'),
  administrator: flag(row, 'administrator'),
  disabled: flag(row, 'disabled'),
  passwordHash: optionalText(row, 'password_hash'),
  createdAt: number(row, 'created_at'),
  updatedAt: number(row, 'updated_at'),
})
