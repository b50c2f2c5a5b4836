// What each server is told of who calls, and which of the caller's own header fields it gets: from the configuration.
import { identityToldTo, type ToldIdentity } from '../config/identity-told.ts'
import type { Config } from '../config/schema.ts'
import type { UpstreamConfig } from '../config/servers.ts'
import { proxiesOf } from '../config/ways.ts'
import { identityHeadersOf } from '../identity/edge-headers.ts'
import type { Log } from '../observe/log.ts'
import { rarely } from '../observe/rarely.ts'
import type { Clock } from '../protocol/clock.ts'
import type { IdentityAttribute } from '../protocol/identity-headers.ts'
import { isChannel } from '../protocol/transports.ts'
import type { MintAssertion } from '../tokens/assertion.ts'
import type { Bound } from '../upstreams/binding.ts'
import { type TellIdentity, tellIdentity } from '../upstreams/identity/tell.ts'
import { type PassthroughNeeds, passthroughFor } from '../upstreams/passthrough.ts'

interface Needs {
  readonly config: Config
  readonly mintAssertion: MintAssertion
  readonly clock: Clock
  readonly log: Log
}

type Forwarding = Pick<Bound, 'identity' | 'passthrough'>

const TOLD = { every: 60_000, most: 50 }

export function forwardingOf(needs: Needs): (server: UpstreamConfig) => Forwarding {
  const { config } = needs
  const identityOf = vouchedFields(config)
  const isTime = rarely({ ...TOLD, clock: needs.clock })
  return (server) => {
    const told = identityToldTo(server, config.identityForwarding)
    const { enabled, headers, overwrite } = config.passthrough
    const list = enabled === false ? [] : (server.passthroughHeaders ?? headers)
    const ownPrefix = `${told.headerPrefix.toLowerCase()}-`
    return {
      identity: identityFor(server, told, { ...needs, isTime }),
      passthrough: passthroughFor({ list, overwrite, identityOf, ownPrefix }),
    }
  }
}

function identityFor(
  server: UpstreamConfig,
  told: ToldIdentity,
  { mintAssertion, clock, log, isTime }: Needs & { isTime(about: string): boolean },
): TellIdentity | undefined {
  // A channel is looked after in any case: nothing else takes a forged identity out of its messages.
  if (!told.headers && !told.jwt && !told.meta && !isChannel(server) && told.form !== 'contextforge') return undefined
  return tellIdentity({
    told,
    audience: audienceOf(server),
    mintAssertion,
    onOmitted({ subject }, fields) {
      if (isTime(`${server.id} ${subject}`))
        log.warn(
          { server: server.id, subject, fields },
          'too long for a header field, and not sent: name fewer of them',
        )
    },
    clock,
  })
}

/** Its address without what may be a secret in it; a child process has none. */
function audienceOf(server: UpstreamConfig): string {
  if ('command' in server) return server.id
  const { protocol, host, pathname } = new URL(server.url)
  return `${protocol}//${host}${pathname}`
}

const SAID: Readonly<Record<string, IdentityAttribute>> = {
  user: 'user',
  email: 'email',
  name: 'name',
  groups: 'groups',
}

/** In what fields the proxies in front of us say who calls; and where callers write their token. */
function vouchedFields(config: Config): PassthroughNeeds['identityOf'] {
  const fields = new Map<string, { readonly attribute: IdentityAttribute | undefined }>()
  for (const proxy of proxiesOf(config))
    for (const family of identityHeadersOf(proxy))
      for (const [what, field] of Object.entries(family)) fields.set(field, { attribute: SAID[what] })
  const { header, capabilities } = config.auth
  for (const field of [header, capabilities?.header])
    if (field !== undefined) fields.set(field.toLowerCase(), { attribute: undefined })
  return (field) => fields.get(field)
}
