// What an error of PostgreSQL or of the connection means: to the operator at the start, to a caller at run time.
import { OperatorError, StoreUnavailable } from '../../protocol/errors.ts'

/** What a message to the operator says of the server. Never the password. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
}

// SQLSTATE classes that blame the statement or its data (PostgreSQL, Appendix A); everything else blames the moment.
const FAULTY = /^(0A|21|22|23|42)/

export function storeFailure(error: unknown): unknown {
  const code = codeOf(error)
  if (code !== undefined && FAULTY.test(code)) return error
  return new StoreUnavailable(`PostgreSQL cannot do this now (${code ?? 'connection lost'}).`, { cause: error })
}

export function openFailure(error: unknown, place: Place): unknown {
  if (error instanceof OperatorError) return error
  return new OperatorError(saying(codeOf(error), messageOf(error), place), { cause: error })
}

function saying(code: string | undefined, message: string, { host, port, database, user }: Place): string {
  const server = `PostgreSQL at ${host}:${port}`
  if (code === '28P01' || code === '28000')
    return `${server} refuses the sign-in of ${user}. Check user and password in store.url, and the server's pg_hba.conf.`
  if (code === '3D000') return `${server} has no database ${database}. Create it: createdb --owner ${user} ${database}`
  if (code === '42501')
    return `${user} may not create tables in the database ${database} of ${server}. Make it the owner: ALTER DATABASE ${database} OWNER TO ${user}`
  if (code === '57P03' || code === '53300')
    return `${server} takes no connections now (${message}). Wait until it does, and start again.`
  if (code === undefined || /^[A-Z_]{5,}$/.test(code))
    return `${server} cannot be reached (${code ?? message}). Check host and port in store.url, and that the server runs and listens there.`
  return `${server} cannot be used (${code}: ${message}).`
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
