// The ways to knock, on the ground of the gateway: one authenticator for all servers, and one for each that says otherwise.
import type { MtlsConfig } from '../config/auth.ts'
import type { ProxyConfig } from '../config/auth-proxy.ts'
import { certificatesOf, identityProxies, ownWays, proxiesOf, type WaysConfig, waysAt } from '../config/ways.ts'
import { credentialsReader } from '../http/credentials.ts'
import { outboundFetch } from '../http/outbound.ts'
import { trustedProxies } from '../http/trusted-proxy.ts'
import { emailMatcher } from '../identity/admission.ts'
import type { AttributesOf } from '../identity/attributes.ts'
import { type Authenticate, authenticator } from '../identity/authenticate.ts'
import { capabilityFields, narrowing } from '../identity/capabilities.ts'
import { identityFields } from '../identity/edge-headers.ts'
import { keptOf } from '../identity/kinds.ts'
import { certificateField, certificateWay } from '../identity/mtls.ts'
import { authenticateAt, openWays, type SpokesmanWay, type WayMakers } from '../identity/open-ways.ts'
import { ownTokens } from '../identity/own-token.ts'
import { spokesmen } from '../identity/spokesman.ts'
import { staticTokenWay } from '../identity/static-token.ts'
import type { Vouching } from '../identity/vouched.ts'
import type { Credentials, TokenWay, TransportWay, Wanted } from '../identity/way.ts'
import { tellUntrusted } from '../observe/untrusted.ts'
import { AGGREGATE } from '../protocol/resource.ts'
import { openCapabilities } from './capabilities.ts'
import type { Ground } from './ground.ts'
import { openIssuers } from './issuers.ts'

const LARGEST_KEY_SET = 1024 * 1024

interface Known {
  readonly attributes: AttributesOf
  readonly vouching: Vouching
  readonly apiTokens: TokenWay
}

interface OwnTokens extends Pick<Known, 'attributes'> {
  readonly apiTokens: { readonly way: TokenWay }
}

export function openAuthenticate(ground: Ground, { attributes, vouching, apiTokens }: Known): Authenticate {
  const { config, tokens, metrics } = ground
  const { auth, servers } = config
  const makers: WayMakers = {
    header: auth.header.toLowerCase(),
    own: ownTokens({ recall: tokens.recall, verify: tokens.verify, attributes }),
    apiTokens,
    staticToken: auth.staticToken === undefined ? undefined : staticTokenWay(auth.staticToken),
    issuers: openIssuers(ground, vouching),
    spokesman: proxyMaker(ground, vouching),
    certificate: certificateMaker(ground, vouching),
    onHeaderMissing: metrics.proxyHeaderMissing,
  }
  const build = (at: WaysConfig): Authenticate => authenticator(openWays(at, makers))
  const others = servers.flatMap((server): [string, Authenticate][] => {
    const own = ownWays(auth, server)
    return own === undefined ? [] : [[server.id, build(own)]]
  })
  const chain = authenticateAt(build(waysAt(auth)), new Map(others))
  return auth.capabilities === undefined ? chain : narrowing(chain, openCapabilities(auth.capabilities, ground))
}

/** Where nobody is known by anything but a token of ours, made for this one resource. */
export function openOwnTokens({ config, tokens }: Ground, known: OwnTokens, resource: string) {
  const { way } = known.apiTokens
  const own = ownTokens({ recall: tokens.recall, verify: tokens.verify, attributes: known.attributes })
  const authenticate = authenticator({
    header: config.auth.header.toLowerCase(),
    recall: own.recall,
    tokens: [way, own.way],
    apiTokens: way,
    transports: [],
    anonymous: false,
    explainNobody: () => 'no_credential',
  })
  const wanted: Wanted = { server: undefined, resources: [resource] }
  return (credentials: Credentials) => authenticate(credentials, wanted)
}

function proxyMaker(
  { config, identity, names, clock, log }: Ground,
  { admit }: Vouching,
): (proxy: ProxyConfig) => SpokesmanWay {
  return spokesmen({
    general: config.auth.proxy,
    kept: keptOf(undefined, identity),
    nobodyNamed: config.server.trustedProxies.length === 0,
    fetch: outboundFetch({ allowLoopback: true, configured: true, maxBytes: LARGEST_KEY_SET, resolve: names.resolve }),
    admit,
    isEmailAdmitted: emailMatcher(identity.allowedEmails),
    clock,
    log,
  })
}

function certificateMaker({ config, clock, log }: Ground, vouching: Vouching): (mtls: MtlsConfig) => TransportWay {
  const onUntrusted = tellUntrusted('A certificate header', { clock, log })
  const isEmailAdmitted = emailMatcher(config.identity.allowedEmails)
  return (mtls) => certificateWay({ mtls, admit: vouching.admit, isEmailAdmitted, clock, onUntrusted })
}

/** Reads what a request shows, with an eye on the fields that the configured proxies set. */
export function openCredentials({ config }: Ground) {
  const { isTrusted, peerOf } = trustedProxies(identityProxies(config), config.server.listen)
  const certificateFields = certificatesOf(config).flatMap((mtls) => certificateField(mtls) ?? [])
  const { capabilities } = config.auth
  const listFields = capabilities === undefined ? [] : capabilityFields(capabilities)
  const fields = [...proxiesOf(config).flatMap(identityFields), ...certificateFields, ...listFields]
  return credentialsReader({ isTrusted, peerOf, identityFields: fields })
}

/** What knocking at a server asks for: its own addresses, made once. */
export function wantedAt({ config: { servers }, resources }: Ground): (id: string | undefined) => Wanted {
  const wanted = new Map<string | undefined, Wanted>(
    [...servers.map(({ id }) => id), AGGREGATE].map((id) => [id, { server: id, resources: resources.audiences(id) }]),
  )
  return (id) => wanted.get(id) ?? { server: id, resources: [] }
}
