// Which header fields cross the gate, each way. Everything not named here stays outside, so no alias spelling needs a rule.
import type { IncomingHttpHeaders } from 'node:http'
import { RpcError } from '../protocol/errors.ts'
import {
  HEADER_LAST_EVENT,
  HEADER_METHOD,
  HEADER_NAME,
  HEADER_PARAM_PREFIX,
  HEADER_PROTOCOL_VERSION,
  HEADER_SESSION,
  RPC,
} from '../protocol/mcp.ts'

/** What a request's head says in MCP's own fields, and what of it may go on. */
export interface McpHead {
  readonly version: string | undefined
  readonly method: string | undefined
  readonly name: string | undefined
  readonly session: string | undefined
  readonly lastEvent: string | undefined
  readonly accept: string | undefined
  /** Names and values in turn: user-agent, accept and the mcp fields but the session. Lower-case names. */
  readonly passed: readonly string[]
  /** `Mcp-Param-*` fields are among them. */
  readonly mirrors: boolean
}

const PRINTABLE = /^[\t\x20-\x7e]*$/
/** How the names begin that are read here: most fields are told by it, and looked at no further. */
const [A, L, M, U] = [...'almu'].map((letter) => letter.charCodeAt(0))
const SMALL = 0x20

/** Reads the raw list, where a repeated field is still seen twice. Throws RpcError -32020 for what two readers could read differently. */
export function readHead(rawHeaders: readonly string[]): McpHead {
  const head: Draft = {
    version: undefined,
    method: undefined,
    name: undefined,
    session: undefined,
    lastEvent: undefined,
    accept: undefined,
    passed: [],
    mirrors: false,
  }
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const written = rawHeaders[at] ?? ''
    const first = written.charCodeAt(0) | SMALL
    if (first !== M && first !== A && first !== U && first !== L) continue
    const field = written.toLowerCase()
    const value = rawHeaders[at + 1] ?? ''
    if (isPassed(field, value, head)) head.passed.push(field, value)
  }
  return head
}

type Draft = { -readonly [Key in keyof McpHead]: McpHead[Key] } & { readonly passed: string[] }

/** Takes what the field says. */
function isPassed(field: string, value: string, head: Draft): boolean {
  switch (field) {
    case HEADER_PROTOCOL_VERSION:
      head.version = once(head.version, value)
      return true
    case HEADER_METHOD:
      head.method = once(head.method, value)
      return true
    case HEADER_NAME:
      head.name = once(head.name, value)
      return true
    case HEADER_SESSION:
      head.session = once(head.session, value)
      return false
    case HEADER_LAST_EVENT:
      head.lastEvent = once(head.lastEvent, value)
      return false
    case 'accept':
      if (head.accept !== undefined || !PRINTABLE.test(value)) return false
      head.accept = value
      return true
    case 'user-agent':
      return PRINTABLE.test(value) && passedBefore(field, head) === undefined
    default:
      if (!field.startsWith(HEADER_PARAM_PREFIX)) return false
      // MCP 2026-07-28: an intermediary MUST forward an Mcp-Param-* field that it does not recognise, unchanged.
      once(passedBefore(field, head), value)
      head.mirrors = true
      return true
  }
}

function once(before: string | undefined, value: string): string {
  if (before !== undefined) throw mismatch('header_twice', 'An MCP header field comes twice.')
  if (!PRINTABLE.test(value)) throw mismatch('header_illegal', 'An MCP header field has illegal characters.')
  return value
}

function passedBefore(field: string, { passed }: McpHead): string | undefined {
  for (let at = 0; at < passed.length; at += 2) if (passed[at] === field) return passed[at + 1]
  return undefined
}

export function mismatch(reason: string, message: string): RpcError {
  return new RpcError(RPC.headerMismatch, reason, message)
}

/** The head that the upstream gets; Host and Content-Length are the client's of that connection. */
export function upstreamHeaders(parts: {
  head: McpHead
  /** The request has a body. */
  body: boolean
  /** Session id as the upstream knows it. */
  session: string | undefined
  /** Resumption point; event ids are the upstream's own. */
  lastEvent: string | undefined
  requestId: string
  addedHeaders: Readonly<Record<string, string>>
}): string[] {
  const { head, session, lastEvent, addedHeaders } = parts
  const headers: string[] = []
  for (let at = 0; at < head.passed.length; at += 2) {
    const name = head.passed[at] ?? ''
    // Credentials are ours alone: the caller's copy goes, it is not merged.
    if (!Object.hasOwn(addedHeaders, name)) headers.push(name, head.passed[at + 1] ?? '')
  }
  if (parts.body) headers.push('content-type', 'application/json')
  if (session !== undefined) headers.push(HEADER_SESSION, session)
  if (lastEvent !== undefined) headers.push(HEADER_LAST_EVENT, lastEvent)
  // The caller's own where the operator lets it take the place of ours (`passthrough.overwrite`).
  if (!Object.hasOwn(addedHeaders, 'x-request-id')) headers.push('x-request-id', parts.requestId)
  for (const name in addedHeaders) headers.push(name, addedHeaders[name] ?? '')
  return headers
}

/** Of an upstream's answer; never Set-Cookie, WWW-Authenticate (its challenge is ours to meet), Location or hop-by-hop fields. */
const RETURNED = ['cache-control', 'retry-after', 'allow', 'x-accel-buffering', HEADER_PROTOCOL_VERSION] as const

export function returnedHeaders(headers: IncomingHttpHeaders): string[] {
  const returned: string[] = []
  for (const name of RETURNED) {
    const value = headers[name]
    if (typeof value === 'string' && PRINTABLE.test(value)) returned.push(name, value)
  }
  return returned
}

/** Media type without parameters, lower case. */
export function mediaType(headers: IncomingHttpHeaders): string {
  const type = headers['content-type']
  if (type === 'application/json' || type === 'text/event-stream') return type
  if (typeof type !== 'string') return ''
  const end = type.indexOf(';')
  return (end === -1 ? type : type.slice(0, end)).trim().toLowerCase()
}
