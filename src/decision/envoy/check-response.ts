// `CheckResponse` of envoy.service.auth.v3: the verdict as Envoy's ext_authz filter takes it over gRPC. Field numbers are those of its
// public definition (external_auth.proto, core/v3 base.proto, google/rpc/status.proto, google/protobuf/struct.proto).
import { NO_IDENTITY } from '../identity-headers.ts'
import type { Verdict } from '../verdict.ts'
import { field } from './protobuf.ts'

/** google.rpc.Code. */
const OK = 0
const PERMISSION_DENIED = 7
const UNAUTHENTICATED = 16

/** HeaderAppendAction: whatever the caller sent under this name is gone. */
const OVERWRITE_IF_EXISTS_OR_ADD = 2

const IDENTITY_FIELDS = NO_IDENTITY.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
const IS_IDENTITY = new Set(IDENTITY_FIELDS)
/** Of the answer to the question, not of the answer to the caller. */
const HOP = new Set(['content-length', 'connection'])

interface Asked {
  readonly id: string
  /** Of the caller, names and values in turn. */
  readonly rawHeaders: readonly string[]
  /** The caller's cookies without ours; `undefined` where ours is not among them. */
  readonly cookies: string | undefined
}

export function checkResponse(verdict: Verdict, asked: Asked): Buffer {
  const passes = verdict.status === 200
  return Buffer.concat([
    field(1, field(1, codeOf(verdict.status))),
    passes ? field(3, okResponse(verdict, asked)) : field(2, deniedResponse(verdict, asked)),
    field(4, metadata(verdict, asked)),
  ])
}

/** Only one status passes; a redirect asks who somebody is. */
function codeOf(status: number): number {
  if (status === 200) return OK
  return status === 401 || status === 302 ? UNAUTHENTICATED : PERMISSION_DENIED
}

/** Sets what we know of the caller, and removes the rest: nothing of that name is the caller's own. */
function okResponse({ headers }: Verdict, { rawHeaders, cookies }: Asked): Buffer {
  const ours = pairs(headers).filter(([name]) => IS_IDENTITY.has(name))
  // The server behind could use our cookie as the caller does (catalogue row D21).
  const said = cookies === undefined ? ours : [...ours, ['cookie', cookies] as const]
  const known = said.filter(([, value]) => value !== '')
  const set = new Set(known.map(([name]) => name))
  const aliases = pairs(rawHeaders).flatMap(([name]) => (!IS_IDENTITY.has(name) && isAlias(name) ? [name] : []))
  const gone = cookies === '' ? ['cookie'] : []
  const removed = [...IDENTITY_FIELDS.filter((name) => !set.has(name)), ...gone, ...new Set(aliases)]
  return Buffer.concat([
    ...known.map(([name, value]) => field(2, overwriting(name, value))),
    ...removed.map((name) => field(5, name)),
  ])
}

function deniedResponse({ status, headers, body }: Verdict, { id }: Asked): Buffer {
  const told = pairs(headers).filter(([name]) => !HOP.has(name))
  return Buffer.concat([
    field(1, field(1, status)),
    ...[...told, ['x-request-id', id] as const].map(([name, value]) =>
      field(2, name === 'set-cookie' ? appending(name, value) : overwriting(name, value)),
    ),
    field(3, body),
  ])
}

/** For access logs and later filters (`%DYNAMIC_METADATA(envoy.filters.http.ext_authz:request_id)%`): which record this is. */
function metadata({ headers, reason }: Verdict, { id }: Asked): Buffer {
  const [, subject = ''] = pairs(headers).find(([name]) => name === 'x-forwarded-user-id') ?? []
  const values = { request_id: id, reason, ...(subject !== '' && { subject }) }
  return Buffer.concat(
    Object.entries(values).map(([name, value]) => field(1, Buffer.concat([field(1, name), field(2, field(3, value))]))),
  )
}

/** HeaderValueOption. */
const overwriting = (name: string, value: string): Buffer =>
  Buffer.concat([field(1, header(name, value)), field(3, OVERWRITE_IF_EXISTS_OR_ADD)])

/** The older way to say so is understood by every version: of two cookies the second must not replace the first. */
const appending = (name: string, value: string): Buffer =>
  Buffer.concat([field(1, header(name, value)), field(2, field(1, 1))])

const header = (name: string, value: string): Buffer => Buffer.concat([field(1, name), field(2, value)])

/** To some readers every mark in a name is the same mark (CVE-2025-64484, CVE-2026-88011). */
const isAlias = (name: string): boolean => IS_IDENTITY.has(name.replace(/[^a-z0-9]/g, '-'))

const pairs = (raw: readonly string[]): [name: string, value: string][] =>
  raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1] ?? ''] as [string, string]] : []))
