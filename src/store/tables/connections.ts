// The tables of people's accounts at servers behind us, and of our registrations there.
import type { ConnectionRecord, ConnectionRecords, UpstreamClient, UpstreamClients } from '../connections.ts'
import { number, optionalNumber, optionalText, parseTexts, type Row, text } from '../row.ts'
import type { Sql } from '../sql.ts'

const COLUMNS =
  'principal, server, kind, state, scopes, asked, wanted, issuer, connected_at, used_at, version, held_until, unfinished'
const AT = 'principal = $1 AND server = $2'
const FIND = `SELECT ${COLUMNS} FROM connections WHERE ${AT}`
const LIST = `SELECT ${COLUMNS} FROM connections WHERE principal = $1 ORDER BY server`
const CONNECT = `INSERT INTO connections (principal, server, kind, state, scopes, asked, wanted, issuer, connected_at, version, fence, unfinished)
  VALUES ($1, $2, $3, 'connected', $4, $5, '[]', $6, $7, $8, 0, 0)
  ON CONFLICT (principal, server) DO UPDATE SET kind = excluded.kind, state = 'connected', scopes = excluded.scopes,
    asked = excluded.asked, wanted = '[]', issuer = excluded.issuer, connected_at = excluded.connected_at, used_at = NULL,
    version = excluded.version, fence = connections.fence + 1, held_until = NULL, unfinished = 0`
const REMOVE = `DELETE FROM connections WHERE ${AT}`
const EXPIRE = `UPDATE connections SET state = 'needs_reauth', fence = fence + 1, held_until = NULL, unfinished = 0
  WHERE ${AT} AND state = 'connected' AND version <= $3`
const WANT = `UPDATE connections SET wanted = $3 WHERE ${AT}`
const TOUCH = `UPDATE connections SET used_at = $3 WHERE ${AT} AND (used_at IS NULL OR used_at < $3)`
// Counted as unfinished before it begins: only its end takes that back.
const LEASE = `UPDATE connections SET fence = fence + 1, held_until = $5, version = $3,
    unfinished = CASE WHEN version < $3 THEN 1 ELSE unfinished + 1 END
  WHERE ${AT} AND state = 'connected' AND (version < $3 OR version = $3 AND (held_until IS NULL OR held_until <= $4))
  RETURNING fence, unfinished`
const RENEWED = `UPDATE connections SET version = $4, scopes = $5, held_until = NULL, unfinished = 0
  WHERE ${AT} AND fence = $3`
const POSTPONED = `UPDATE connections SET held_until = $4, unfinished = 0 WHERE ${AT} AND fence = $3`

export function connections({ durable, relaxed }: { durable: Sql; relaxed: Sql }): ConnectionRecords {
  const changed = async (statement: string, values: readonly (string | number)[]) =>
    (await durable.run(statement, values)).changes === 1
  const findRow = async (principal: string, server: string): Promise<Row | undefined> =>
    (await durable.run(FIND, [principal, server])).rows[0]
  return {
    async find(principal, server) {
      const row = await findRow(principal, server)
      return row && connection(row)
    },
    async list(principal) {
      return (await durable.run(LIST, [principal])).rows.map(connection)
    },
    async connect({ principal, server, kind, scopes, asked, issuer, connectedAt, version }) {
      const values = [principal, server, kind, JSON.stringify(scopes), JSON.stringify(asked), issuer ?? null]
      await durable.run(CONNECT, [...values, connectedAt, version])
    },
    remove: (principal, server) => changed(REMOVE, [principal, server]),
    expire: (principal, server, version) => changed(EXPIRE, [principal, server, version]),
    async want(principal, server, scopes) {
      await durable.run(WANT, [principal, server, JSON.stringify(scopes)])
    },
    async touch(principal, server, at) {
      await relaxed.run(TOUCH, [principal, server, at])
    },
    async lease(principal, server, { version, now, until }) {
      const [leased] = (await durable.run(LEASE, [principal, server, version, now, until])).rows
      if (leased !== undefined)
        return { status: 'leased', fence: number(leased, 'fence'), unfinished: number(leased, 'unfinished') - 1 }
      const row = await findRow(principal, server)
      if (row === undefined) return { status: 'unknown' }
      const { state, version: current } = connection(row)
      if (state === 'needs_reauth') return { status: 'needs_reauth' }
      if (current > version) return { status: 'changed' }
      // Given back between the two statements: it may be asked for again at once.
      const exchanging = number(row, 'unfinished') > 0
      return { status: 'held', until: optionalNumber(row, 'held_until') ?? now, exchanging }
    },
    renewed: (principal, server, { fence, version, scopes }) =>
      changed(RENEWED, [principal, server, fence, version, JSON.stringify(scopes)]),
    postponed: (principal, server, { fence, until }) => changed(POSTPONED, [principal, server, fence, until]),
  }
}

const CLIENT = 'server, issuer, redirect_uri, client_id, auth_method, secret_expires_at, created_at'
const FIND_CLIENT = `SELECT ${CLIENT} FROM upstream_clients WHERE server = $1 AND issuer = $2 AND redirect_uri = $3`
const FORGET_CLIENT = 'DELETE FROM upstream_clients WHERE server = $1 AND issuer = $2 AND client_id = $3'
const CLIENT_BY_ID = `SELECT ${CLIENT} FROM upstream_clients WHERE server = $1 AND issuer = $2 AND client_id = $3`
const KEEP_CLIENT = `INSERT INTO upstream_clients (${CLIENT}) VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (server, issuer, redirect_uri) DO UPDATE SET client_id = excluded.client_id,
    auth_method = excluded.auth_method, secret_expires_at = excluded.secret_expires_at, created_at = excluded.created_at
  WHERE upstream_clients.client_id = $8`

export function upstreamClients(sql: Sql): UpstreamClients {
  const find: UpstreamClients['find'] = async (server, issuer, redirectUri) => {
    const [row] = (await sql.run(FIND_CLIENT, [server, issuer, redirectUri])).rows
    return row && client(row)
  }
  return {
    find,
    async findById(server, issuer, clientId) {
      const [row] = (await sql.run(CLIENT_BY_ID, [server, issuer, clientId])).rows
      return row && client(row)
    },
    async keep(made, instead) {
      const { server, issuer, redirectUri, clientId, authMethod, secretExpiresAt, createdAt } = made
      const values = [server, issuer, redirectUri, clientId, authMethod, secretExpiresAt ?? null, createdAt]
      await sql.run(KEEP_CLIENT, [...values, instead ?? ''])
      return (await find(server, issuer, redirectUri)) ?? made
    },
    async forget({ server, issuer, clientId }) {
      await sql.run(FORGET_CLIENT, [server, issuer, clientId])
    },
  }
}

function connection(row: Row): ConnectionRecord {
  const kind = text(row, 'kind')
  const state = text(row, 'state')
  if (kind !== 'oauth' && kind !== 'secret') throw new TypeError(`A stored connection is of the unknown kind ${kind}.`)
  if (state !== 'connected' && state !== 'needs_reauth')
    throw new TypeError(`A stored connection has the unknown state ${state}.`)
  return {
    principal: text(row, 'principal'),
    server: text(row, 'server'),
    kind,
    state,
    scopes: parseTexts(row, 'scopes'),
    asked: parseTexts(row, 'asked'),
    wanted: parseTexts(row, 'wanted'),
    issuer: optionalText(row, 'issuer'),
    connectedAt: number(row, 'connected_at'),
    usedAt: optionalNumber(row, 'used_at'),
    version: number(row, 'version'),
  }
}

const client = (row: Row): UpstreamClient => ({
  server: text(row, 'server'),
  issuer: text(row, 'issuer'),
  redirectUri: text(row, 'redirect_uri'),
  clientId: text(row, 'client_id'),
  authMethod: text(row, 'auth_method'),
  secretExpiresAt: optionalNumber(row, 'secret_expires_at'),
  createdAt: number(row, 'created_at'),
})
