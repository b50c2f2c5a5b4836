// One entry of auth.issuers as the chain of ways sees it, without a gateway around it: what it makes of a token, and what it tells.
import { type IssuerConfig, issuers } from '../../src/config/issuers.ts'
import { outboundFetch } from '../../src/http/outbound.ts'
import { emailMatcher } from '../../src/identity/admission.ts'
import { issuerTokens } from '../../src/identity/issuer.ts'
import type { Vouched } from '../../src/identity/vouched.ts'
import type { Credentials, TokenWay } from '../../src/identity/way.ts'
import type { Principal } from '../../src/protocol/principal.ts'
import { systemNames } from '../../src/upstreams/network/names.ts'

export const RESOURCE = 'https://gate.example/servers/notes/mcp'

/** What this way hands on as vouched for; the account behind it is another room's business. */
export interface OpenedWay extends TokenWay {
  /** The caller, or the reason of the refusal. */
  judge(token: string, resources?: readonly string[]): Promise<Vouched | string>
  readonly told: readonly string[]
  now: number
  /** The same issuer at a server with an audience of its own. */
  at(audience: string): TokenWay
}

const silent = () => undefined
const NOBODY = {} as Credentials
const fetches = {
  configured: outboundFetch({
    allowLoopback: true,
    configured: true,
    maxBytes: 1024 * 1024,
    timeout: 2000,
    resolve: systemNames(),
  }),
  named: outboundFetch({ allowLoopback: false, maxBytes: 1024 * 1024, timeout: 2000, resolve: systemNames() }),
}

export function openWay(
  entry: object,
  others: readonly string[] = [],
  identity: Parameters<typeof issuerTokens>[0]['identity'] = { mapping: {}, claims: [] },
): OpenedWay {
  const [config] = issuers.parse([entry]) as [IssuerConfig]
  const told: string[] = []
  const opened: { now: number } = { now: Date.now() }
  const tokens = issuerTokens({
    config,
    configured: new Set([config.issuer, ...others]),
    identity,
    fetches,
    admit: (vouched, isEmailAdmitted) => {
      if (!isEmailAdmitted(vouched.email)) throw Object.assign(new Error('no'), { reason: 'not_admitted' })
      return vouched as unknown as Principal
    },
    isEmailAdmitted: emailMatcher(config.allowedEmails ?? []),
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
  })
  const way = tokens.way(undefined)
  return {
    ...way,
    told,
    at: (audience) => tokens.way(audience),
    get now() {
      return opened.now
    },
    set now(value) {
      opened.now = value
    },
    async judge(token, resources = [RESOURCE]) {
      if (!way.isMine(token)) return 'not mine'
      try {
        return (await way.prove(token, NOBODY, { server: 'notes', resources })) as unknown as Vouched
      } catch (error) {
        const { reason } = error as { reason?: string }
        if (reason === undefined) throw error
        return reason
      }
    },
  }
}
