// What a server behind the gate was told by the last call that reached it.
import { join } from 'node:path'
import { IDENTITY_SUFFIXES } from '../../src/protocol/identity-headers.ts'
import type { Canary, CanaryRequest } from './canary.ts'

/** A child process whose tool `tell` answers with the `_meta` of the call. */
export const tellingServer = (id: string) => ({
  id,
  command: [process.execPath, join(import.meta.dirname, 'telling-child.js')],
})

/** The gate asks for lists by itself: only calls are somebody's. */
export function lastCall({ requests }: Canary): CanaryRequest {
  const call = requests.findLast(({ body }) => body.includes('"tools/call"'))
  if (call === undefined) throw new TypeError('No call has arrived.')
  return call
}

/** By lower-case name. Throws where a field comes twice. */
export function fieldsOf({ rawHeaders }: Pick<CanaryRequest, 'rawHeaders'>): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    if (Object.hasOwn(fields, name)) throw new TypeError(`${name} came twice.`)
    fields[name] = rawHeaders[at + 1] ?? ''
  }
  return fields
}

/** What the gate itself says of who calls. */
const OURS = new Set([
  ...Object.values(IDENTITY_SUFFIXES).map((suffix) => `x-forwarded-${suffix.toLowerCase()}`),
  'x-portcullis-assertion',
])

/** Names of fields, lower case, that look like this and are not the gate's own word for who calls. */
export const namesBesideOurs = ({ rawHeaders }: Pick<CanaryRequest, 'rawHeaders'>, look: RegExp): string[] =>
  rawHeaders.flatMap((text, at) => {
    const name = text.toLowerCase()
    return at % 2 === 0 && look.test(name) && !OURS.has(name) ? [name] : []
  })

export function metaOf({ body }: Pick<CanaryRequest, 'body'>): Record<string, unknown> {
  const { params } = JSON.parse(body.toString()) as { params?: { _meta?: Record<string, unknown> } }
  return params?._meta ?? {}
}
