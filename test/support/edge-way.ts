// What stands in front of the gate as the chain of ways sees it, without a gateway around it: whom it takes a request's caller for.
import { proxy } from '../../src/config/auth-proxy.ts'
import { outboundFetch } from '../../src/http/outbound.ts'
import { emailMatcher } from '../../src/identity/admission.ts'
import type { FetchDocument } from '../../src/identity/document.ts'
import type { KeptPaths } from '../../src/identity/kept-claims.ts'
import { spokesmen } from '../../src/identity/spokesman.ts'
import type { Vouched } from '../../src/identity/vouched.ts'
import type { Credentials } from '../../src/identity/way.ts'
import type { Principal } from '../../src/protocol/principal.ts'
import { systemNames } from '../../src/upstreams/network/names.ts'

export type Fields = Readonly<Record<string, string | readonly string[]>>

export interface OpenedEdge {
  /** The caller, `nobody`, or the reason of the refusal. */
  judge(fields: Fields, trusted?: boolean): Promise<Vouched | string>
  whyNobody(fields: Fields, trusted?: boolean): string
  /** What the log was told. */
  readonly told: readonly string[]
  /** Where keys were looked for. */
  readonly asked: readonly string[]
  now: number
}

interface Options {
  /** `server.trustedProxies` names somebody. */
  readonly named?: boolean
  readonly allowedEmails?: readonly string[]
  readonly now?: number
  readonly kept?: KeptPaths
  /** In place of the network. */
  readonly fetch?: FetchDocument
}

const NOTHING: KeptPaths = { claims: [], organisation: undefined }

const silent = () => undefined

export function openEdge(
  settings: object,
  { named = true, allowedEmails = [], now = Date.now(), fetch = outbound(), kept = NOTHING }: Options = {},
): OpenedEdge {
  const told: string[] = []
  const asked: string[] = []
  const opened: { now: number } = { now }
  const { way, whyNobody } = spokesmen({
    general: undefined,
    nobodyNamed: !named,
    kept,
    fetch: (url) => {
      asked.push(url)
      return fetch(url)
    },
    admit: (vouched, isEmailAdmitted) => {
      if (!isEmailAdmitted(vouched.email)) throw Object.assign(new Error('no'), { reason: 'not_admitted' })
      return vouched as unknown as Principal
    },
    isEmailAdmitted: emailMatcher(allowedEmails),
    clock: () => opened.now,
    log: {
      debug: silent,
      info: silent,
      error: silent,
      warn: (object, message) => {
        const { error } = object as { error?: Error }
        told.push([message, error?.message, JSON.stringify(object)].join(' '))
      },
    },
  })(proxy.parse(settings))
  return {
    told,
    asked,
    get now() {
      return opened.now
    },
    set now(value) {
      opened.now = value
    },
    whyNobody: (fields, trusted = true) => whyNobody(knock(fields, trusted)),
    async judge(fields, trusted = true) {
      try {
        const found = await way(knock(fields, trusted), { server: 'notes', resources: [] })
        return found === undefined ? 'nobody' : (found as unknown as Vouched)
      } catch (error) {
        const { reason } = error as { reason?: string }
        if (reason === undefined) throw error
        return reason
      }
    },
  }
}

const outbound = () =>
  outboundFetch({
    allowLoopback: true,
    configured: true,
    maxBytes: 1024 * 1024,
    timeout: 10_000,
    resolve: systemNames(),
  })

/** A request's fields, named as people write them. */
export function knock(fields: Fields, trusted = true): Credentials {
  const lines = new Map(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), [value].flat()]))
  return {
    field: (name) => lines.get(name) ?? [],
    query: '',
    address: '192.0.2.1',
    transport: { trusted, peer: '192.0.2.1', certificate: () => undefined },
  }
}
