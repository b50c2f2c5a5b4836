// The tables of client sessions and their legs.
import type { ClientSession, ClientSessions, SessionLeg } from '../client-sessions.ts'
import { number, optionalText, parseObject, type Row, text } from '../row.ts'
import type { Sql } from '../sql.ts'

const LEG = 'session, server, sealed_id, revision, capabilities'
const BEGIN = `INSERT INTO client_sessions (id, subject, hello, log_level, created_at, used_at, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7)`
// A bite at a time: a subject is never far beyond its bound.
const END_OLDEST = `DELETE FROM client_sessions WHERE id IN
  (SELECT id FROM client_sessions WHERE subject = $1 ORDER BY used_at DESC, id LIMIT 100 OFFSET $2) RETURNING id`
const FIND = `SELECT id, subject, hello, log_level, created_at, used_at, expires_at FROM client_sessions
  WHERE id = $1 AND expires_at > $2`
const LEGS = `SELECT ${LEG} FROM session_legs WHERE session = $1`
const TOUCH = 'UPDATE client_sessions SET used_at = $2, expires_at = $3 WHERE id = $1 AND used_at <= $2'
const SET_LOG_LEVEL = 'UPDATE client_sessions SET log_level = $2 WHERE id = $1'
// The lock on its row: whoever ends the session meanwhile finds the leg afterwards, or we find no session.
const LOCK = 'UPDATE client_sessions SET used_at = used_at WHERE id = $1'
const KEEP_LEG = `INSERT INTO session_legs (${LEG}, expires_at) SELECT $1, $2, $3, $4, $5, $6
  WHERE EXISTS (SELECT 1 FROM client_sessions WHERE id = $1)
  ON CONFLICT (session, server) DO UPDATE SET sealed_id = excluded.sealed_id, revision = excluded.revision,
    capabilities = excluded.capabilities, expires_at = excluded.expires_at
    WHERE session_legs.sealed_id = $7`
const FIND_LEG = `${LEGS} AND server = $2`
const END = 'DELETE FROM client_sessions WHERE id = $1'
const END_LEGS = `DELETE FROM session_legs WHERE session = $1 RETURNING ${LEG}`
const END_LEGS_AT = `DELETE FROM session_legs WHERE server = $2 AND session IN
  (SELECT id FROM client_sessions WHERE subject = $1) RETURNING ${LEG}`
const END_EXPIRED = `DELETE FROM client_sessions WHERE id IN
  (SELECT id FROM client_sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) RETURNING id`

export function clientSessions(sql: Sql): ClientSessions {
  const legsOf = async (ended: readonly Row[]): Promise<SessionLeg[]> => {
    const legs: SessionLeg[] = []
    for (const row of ended) legs.push(...(await sql.run(END_LEGS, [text(row, 'id')])).rows.map(leg))
    return legs
  }
  return {
    async begin(session, most) {
      const { id, subject, hello, logLevel, createdAt, usedAt, expiresAt } = session
      const values = [id, subject, JSON.stringify(hello), logLevel ?? null, createdAt, usedAt, expiresAt]
      const [, ended] = await sql.together([
        { text: BEGIN, values },
        { text: END_OLDEST, values: [subject, most] },
      ])
      return legsOf(ended?.rows ?? [])
    },
    async find(id, now) {
      const [row] = (await sql.run(FIND, [id, now])).rows
      if (row === undefined) return undefined
      return { session: session(row), legs: (await sql.run(LEGS, [id])).rows.map(leg) }
    },
    async touch(id, { usedAt, expiresAt }) {
      await sql.run(TOUCH, [id, usedAt, expiresAt])
    },
    async setLogLevel(id, level) {
      await sql.run(SET_LOG_LEVEL, [id, level])
    },
    async keepLeg({ session: id, server, sealedId, revision, capabilities }, replaces, expiresAt) {
      const values = [id, server, sealedId, revision, JSON.stringify(capabilities), expiresAt, replaces ?? null]
      const outcomes = await sql.together([
        { text: LOCK, values: [id] },
        { text: KEEP_LEG, values },
        { text: FIND_LEG, values: [id, server] },
      ])
      const [row] = outcomes[0]?.changes === 1 ? (outcomes[2]?.rows ?? []) : []
      return row && leg(row)
    },
    async end(id) {
      await sql.run(END, [id])
      return legsOf([{ id }])
    },
    async endLegs(subject, server) {
      return (await sql.run(END_LEGS_AT, [subject, server])).rows.map(leg)
    },
    async endExpired(now, most) {
      return legsOf((await sql.run(END_EXPIRED, [now, most])).rows)
    },
  }
}

const session = (row: Row): ClientSession => ({
  id: text(row, 'id'),
  subject: text(row, 'subject'),
  hello: parseObject(row, 'hello'),
  logLevel: optionalText(row, 'log_level'),
  createdAt: number(row, 'created_at'),
  usedAt: number(row, 'used_at'),
  expiresAt: number(row, 'expires_at'),
})

const leg = (row: Row): SessionLeg => ({
  session: text(row, 'session'),
  server: text(row, 'server'),
  sealedId: text(row, 'sealed_id'),
  revision: text(row, 'revision'),
  capabilities: parseObject(row, 'capabilities'),
})
