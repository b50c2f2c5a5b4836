// Every migration, in order. Forward only: a number that has been released never changes.
import { records } from './0001-records.ts'
import { spine } from './0001-spine.ts'
import { apiTokens } from './0002-api-tokens.ts'
import { usersByEmail } from './0003-users-by-email.ts'
import { userClaims } from './0004-user-claims.ts'
import { allowances } from './0005-allowances.ts'
import { clientSessions } from './0006-client-sessions.ts'
import { toolPins } from './0007-tool-pins.ts'
import { secrets } from './0008-secrets.ts'
import { connections } from './0010-connections.ts'
import { replicas } from './0011-replicas.ts'
import type { TextType } from './text.ts'

/** Migrations of one schema, and the table in which the database remembers which of them it has had. */
export interface Schema {
  readonly table: string
  /** Statements by name, in the order of the names. */
  readonly migrations: Readonly<Record<string, readonly string[]>>
}

export const stateSchema = (text: TextType): Schema => ({
  table: 'state_migrations',
  migrations: {
    '0001-spine': spine(text),
    '0002-api-tokens': apiTokens(text),
    '0003-users-by-email': usersByEmail,
    '0004-user-claims': userClaims(text),
    '0005-allowances': allowances(text),
    '0006-client-sessions': clientSessions(text),
    '0007-tool-pins': toolPins(text),
    '0008-secrets': secrets(text),
    '0010-connections': connections(text),
    '0011-replicas': replicas(text),
  },
})

export const recordSchema = (text: TextType): Schema => ({
  table: 'record_migrations',
  migrations: { '0001-records': records(text) },
})
