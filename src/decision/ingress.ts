// What an ingress says was asked of it, in the fields that its kind sets: Traefik, Caddy and HAProxy `X-Forwarded-Method`, `-Proto`,
// `-Host` and `-Uri`; nginx `X-Original-URL` (or `X-Original-URI`) and `X-Original-Method`. Each once, in one spelling. A field that is
// needed and missing is refused rather than guessed: the one who then adds it must be the operator, not a caller.
import type { IncomingMessage } from 'node:http'
import { RequestError } from '../protocol/errors.ts'
import { checkOriginal, type Original, type Said } from './original.ts'

export interface Asked {
  readonly original: Original
  /** nginx passes on 200, 401 and 403; any other status is a failure to it. */
  readonly nginx: boolean
}

type Head = Pick<IncomingMessage, 'headers' | 'rawHeaders'>

const FIELDS = new Set([
  ...['x-forwarded-method', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-uri'],
  ...['x-original-url', 'x-original-uri', 'x-original-method'],
])

/** In nginx's own fields: of the answers it understands three. */
export const namesNginx = ({ headers }: Pick<Head, 'headers'>): boolean =>
  headers['x-original-url'] !== undefined || headers['x-original-uri'] !== undefined

/** Does it ask about another request at all? */
export const namesOriginal = (head: Pick<Head, 'headers'>): boolean =>
  head.headers['x-forwarded-uri'] !== undefined || namesNginx(head)

/** Throws RequestError 400. Only for a peer whose word counts. */
export function readIngress(head: Head, mayBePlain: (host: string) => boolean): Asked {
  checkSpellings(head)
  const { headers } = head
  const forwarded = headers['x-forwarded-uri'] === undefined ? undefined : readForwarded(headers)
  const nginx = readNginx(headers)
  const said = nginx ?? forwarded
  if (said === undefined) throw missing('x-forwarded-uri')
  const original = checkOriginal(said, mayBePlain)
  // A caller behind one kind of ingress may send the fields of the other: then both must say the same.
  if (nginx && forwarded && !isSame(original, checkOriginal(forwarded, mayBePlain))) throw ambiguous()
  return { original, nginx: nginx !== undefined }
}

type Headers = IncomingMessage['headers']

function readForwarded(headers: Headers): Said {
  return {
    method: required(headers, 'x-forwarded-method'),
    scheme: optional(headers, 'x-forwarded-proto'),
    host: required(headers, 'x-forwarded-host'),
    target: required(headers, 'x-forwarded-uri'),
  }
}

function readNginx(headers: Headers): Said | undefined {
  const url = optional(headers, 'x-original-url')
  const uri = optional(headers, 'x-original-uri')
  if (url === undefined && uri === undefined) return undefined
  const method = required(headers, 'x-original-method')
  const [, scheme, host, target] = /^(https?|wss?):\/\/([^/?#\\]+)(\/.*)$/.exec(url ?? '') ?? []
  // An ingress sets one of them: the other would be the caller's, with a host of its choice.
  if (url !== undefined && uri !== undefined) throw ambiguous()
  if (scheme !== undefined && host !== undefined && target !== undefined) return { method, scheme, host, target }
  return {
    method,
    scheme: optional(headers, 'x-forwarded-proto'),
    host: required(headers, 'x-forwarded-host'),
    target: url ?? uri ?? '',
  }
}

const ambiguous = () => new RequestError(400, 'original_ambiguous', 'The ingress names two requests.')

function required(headers: Headers, name: string): string {
  const value = optional(headers, name)
  if (value === undefined) throw missing(name)
  return value
}

function optional(headers: Headers, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** To some readers every mark in a name is the same mark (CVE-2025-64484, CVE-2026-88011), and Node joins what comes twice. */
function checkSpellings({ headers, rawHeaders }: Head): void {
  const names = Object.keys(headers)
  if (names.some(isAlias)) throw new RequestError(400, 'original_alias', TWO)
  if (names.length * 2 === rawHeaders.length) return
  const seen = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    if (!FIELDS.has(name)) continue
    if (seen.has(name)) throw new RequestError(400, 'original_twice', TWO)
    seen.add(name)
  }
}

/** Names that were looked at and are none: the same few come with every request. */
const harmless = new Set<string>()
const MOST_KEPT = 500
const LONGEST_KEPT = 64

function isAlias(name: string): boolean {
  if (harmless.has(name)) return false
  if (!FIELDS.has(name) && FIELDS.has(name.replace(/[^a-z0-9]/g, '-'))) return true
  if (harmless.size < MOST_KEPT && name.length <= LONGEST_KEPT) harmless.add(name)
  return false
}

const TWO = 'A field of the ingress comes in two spellings or twice.'

/** The field's name is for the log; nobody learns from an answer which one would be believed. */
export class MissingField extends RequestError {
  readonly field: string

  constructor(field: string) {
    super(400, 'original_incomplete', 'The ingress does not say which request it asks about.')
    this.field = field
  }
}

const missing = (field: string) => new MissingField(field)

const isSame = (one: Original, other: Original): boolean =>
  one.method === other.method &&
  one.scheme === other.scheme &&
  one.host === other.host &&
  one.path === other.path &&
  one.query === other.query
