// What a trusted proxy's signed list confines a caller to (Kuadrant's x-mcp-authorized): RFC 7515, RFC 7519. A list that cannot be
// believed allows nothing; it never stands for none.
import type { KeyObject } from 'node:crypto'
import type { CapabilitiesConfig } from '../config/capabilities.ts'
import type { Clock } from '../protocol/clock.ts'
import { BearerError } from '../protocol/errors.ts'
import type { Capabilities, Principal } from '../protocol/principal.ts'
import type { Authenticate } from './authenticate.ts'
import { capabilitiesIn } from './capability-list.ts'
import { checkAudience, checkIssuer } from './edge-claims.ts'
import { type Jwt, refuseToken, verifyJwt } from './jwt.ts'
import { provedTokens } from './proved-tokens.ts'
import { checkLifetime } from './token-claims.ts'
import type { Credentials } from './way.ts'

interface Needs {
  readonly config: CapabilitiesConfig
  /** Without one no list counts. */
  readonly key: KeyObject | undefined
  readonly clock: Clock
  /** Why the list of a trusted peer does not count. */
  onRefused(reason: string, peer: string): void
  /** A list came from a peer that is not trusted, and is not looked at. */
  onUntrusted(peer: string): void
}

/** `undefined`: the caller is not narrowed. Never throws, never rejects. */
export type ReadCapabilities = (credentials: Credentials) => Capabilities | Promise<Capabilities> | undefined

const NOTHING: Capabilities = { tools: new Map(), prompts: new Map() }

const HEADER = 'x-mcp-authorized'
const OLDER_HEADER = 'x-authorized-tools'
/** Kilobytes each, and of each caller a new one every few minutes. */
const MOST_HELD = 5000

/** Fields that may hold the list, lower case. */
export function capabilityFields({ header }: Pick<CapabilitiesConfig, 'header'>): readonly string[] {
  const name = header.toLowerCase()
  return name === HEADER ? [HEADER, OLDER_HEADER] : [name]
}

export function capabilitiesReader({ config, key, clock, onRefused, onUntrusted }: Needs): ReadCapabilities {
  const { issuer, audience, required, clockTolerance } = config
  const fields = capabilityFields(config)
  const audiences = audience === undefined ? undefined : [audience].flat()
  const known = provedTokens<Capabilities>(clock, MOST_HELD)

  function checkClaims({ header, claims }: Jwt): number {
    // RFC 8725 §3.11: made for another purpose, though by the same issuer.
    if (header.typ !== undefined && header.typ !== 'jwt') throw refuseToken('token_type')
    checkIssuer(claims, issuer)
    checkAudience(claims, audiences)
    return checkLifetime(claims, { clockTolerance, maxTokenAge: undefined }, clock()).endsAt
  }

  async function examine(list: string): Promise<Capabilities> {
    if (key === undefined) throw refuseToken('no_key')
    const jwt = await verifyJwt(list, { algorithms: ['ES256'], findKeys: async () => [key] })
    const endsAt = checkClaims(jwt)
    const capabilities = capabilitiesIn(jwt.claims, required)
    known.keep(list, capabilities, endsAt)
    return capabilities
  }

  return (credentials) => {
    const { trusted, peer } = credentials.transport
    const lines = fields.flatMap((field) => credentials.field(field))
    if (lines.length > 0 && !trusted) onUntrusted(peer)
    if (lines.length === 0 || !trusted) return required ? NOTHING : undefined
    const [list = ''] = lines
    const refuse = (error: unknown): Capabilities => {
      if (!(error instanceof BearerError)) throw error
      onRefused(error.reason, peer)
      return NOTHING
    }
    if (lines.length > 1) return refuse(refuseToken('list_twice'))
    return known.recall(list.trim()) ?? examine(list.trim()).catch(refuse)
  }
}

/** The chain of ways, and after it what a list narrows whoever it proved to. */
export function narrowing(authenticate: Authenticate, read: ReadCapabilities): Authenticate {
  return (credentials, wanted) => {
    const proved = authenticate(credentials, wanted)
    const capabilities = read(credentials)
    if (capabilities === undefined) return proved
    return proved instanceof Promise || capabilities instanceof Promise
      ? narrowed(proved, capabilities)
      : { ...proved, capabilities }
  }
}

async function narrowed(
  proved: Principal | Promise<Principal>,
  capabilities: Capabilities | Promise<Capabilities>,
): Promise<Principal> {
  // Both at once: what goes wrong with one must not leave the other unheard.
  const [principal, listed] = await Promise.all([proved, capabilities])
  return { ...principal, capabilities: listed }
}
