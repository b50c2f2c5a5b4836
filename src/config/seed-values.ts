// How the seeds' variables spell their values. Each reader answers the value for our setting, or throws a sentence.
import { USER_ID_CLAIMS } from '../protocol/user-id-claims.ts'
import { readBoolean, readList } from './text-value.ts'

export class BadValue extends Error {
  override readonly name = 'BadValue'
}

export function parseYesNo(text: string): boolean {
  const value = readBoolean(text)
  if (value === undefined) throw new BadValue('Write true or false.')
  return value
}

export function parseList(text: string): unknown {
  const read = readList(text)
  if ('problem' in read) throw new BadValue(read.problem)
  return read.value
}

export function parseWord(text: string): string {
  return text.trim()
}

export function parsePort(text: string): number {
  const port = Number(text.trim())
  if (!/^\d{1,5}$/.test(text.trim()) || port > 65_535) throw new BadValue('Not a port: write 0 to 65535.')
  return port
}

const LEVELS: Readonly<Record<string, string>> = {
  '0': 'debug',
  '1': 'info',
  '2': 'warn',
  debug: 'debug',
  info: 'info',
  minimal: 'warn',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  critical: 'error',
}

/** mcpauth counts 0 debug, 1 info, 2 minimal; ContextForge writes names. */
export function parseLogLevel(text: string): string {
  const level = LEVELS[text.trim().toLowerCase()]
  if (level === undefined) throw new BadValue('Write 0, 1, 2, debug, info, warn or error.')
  return level
}

/** SQLAlchemy's spelling (`sqlite:///relative`, `sqlite:////absolute`, `postgresql+psycopg2://`) and the plain URLs. */
export function parseDatabaseUrl(text: string): string {
  const url = text.trim()
  const sqlite = /^sqlite:\/\/\/(.+)$/.exec(url)
  if (sqlite !== null) return `sqlite:${sqlite[1]}`
  if (/^postgres(ql)?(\+[a-z0-9]+)?:\/\//.test(url)) return url.replace(/^([a-z]+)\+[a-z0-9]+:/, '$1:')
  throw new BadValue('Only sqlite:///PATH and postgresql:// (postgres://) are supported.')
}

/** `example.com`, `example.com:8443`; a scheme or a path would be a second opinion about the URL. */
export function parseDomain(text: string): string {
  const domain = text.trim().toLowerCase()
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/.test(domain))
    throw new BadValue('Write a host name only, such as auth.example.com.')
  return domain
}

export function parseUrl(text: string): string {
  const url = text.trim()
  if (!URL.canParse(url) || !/^https?:/.test(url)) throw new BadValue('Write an absolute http or https URL.')
  return url
}

/** Of tokens that others sign. With a shared key whoever can check a token can make one. */
export function parseAlgorithm(text: string): string {
  const algorithm = text.trim()
  if (/^HS/i.test(algorithm))
    throw new BadValue(
      'Tokens signed with a shared key (HS256 and its like) are refused: whoever can check one can make one. Sign them with RS256 or ES256 and set JWT_PUBLIC_KEY_PATH, or use the access and API tokens of this gate.',
    )
  return algorithm
}

const PROVIDERS = ['google', 'keycloak', 'github', 'internal']

export function parseProvider(text: string): string {
  const provider = text.trim().toLowerCase()
  if (!PROVIDERS.includes(provider)) throw new BadValue(`Write one of ${PROVIDERS.join(', ')}.`)
  return provider
}

/** Switching sign-in off opens nothing: it only takes the other server out. */
export const signInStaysOn =
  (name: string) =>
  (text: string): string | undefined =>
    readBoolean(text) === false
      ? `${name} is off: people are not sent to another server, and sign in here all the same. Nobody gets in without a sign-in.`
      : undefined

export function parseUserIdClaim(text: string): string {
  const claim = USER_ID_CLAIMS.find((name) => name === text.trim())
  if (claim === undefined) throw new BadValue(`Write one of ${USER_ID_CLAIMS.join(', ')}.`)
  return claim
}
