// The table of consents: what a person allowed a client for a resource, through one redirect URI.
import type { ConsentRecord, Consents } from '../durable.ts'
import { number, parseTexts, type Row, text } from '../row.ts'
import type { Sql } from '../sql.ts'

const COLUMNS = 'subject, client, resource, redirect_uri, scopes, consented_at'
const RECORD = `INSERT INTO consents (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (subject, client, resource, redirect_uri) DO UPDATE SET
    scopes = excluded.scopes, consented_at = excluded.consented_at`
const FIND = `SELECT ${COLUMNS} FROM consents
  WHERE subject = $1 AND client = $2 AND resource = $3 AND redirect_uri = $4`

export function consents(sql: Sql): Consents {
  return {
    async record({ subject, client, resource, redirectUri, scopes, at }) {
      await sql.run(RECORD, [subject, client, resource, redirectUri, JSON.stringify(scopes), at])
    },
    async find({ subject, client, resource, redirectUri }) {
      const [row] = (await sql.run(FIND, [subject, client, resource, redirectUri])).rows
      return row && consent(row)
    },
  }
}

const consent = (row: Row): ConsentRecord => ({
  subject: text(row, 'subject'),
  client: text(row, 'client'),
  resource: text(row, 'resource'),
  redirectUri: text(row, 'redirect_uri'),
  scopes: parseTexts(row, 'scopes'),
  at: number(row, 'consented_at'),
})
