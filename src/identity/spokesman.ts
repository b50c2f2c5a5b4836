// Whoever stands in front and says who is calling: an edge that signs it, or a proxy that is believed, each in its own way of saying it.
import type { ProxyConfig } from '../config/auth-proxy.ts'
import type { Log } from '../observe/log.ts'
import { tellUntrusted } from '../observe/untrusted.ts'
import type { Clock } from '../protocol/clock.ts'
import type { FetchDocument } from './document.ts'
import { edgeWay } from './edge.ts'
import { isSigning, signedEdge } from './edge-assertions.ts'
import { type IdentityHeaders, identityHeadersOf, issuerOf } from './edge-headers.ts'
import type { KeptPaths } from './kept-claims.ts'
import type { SpokesmanWay } from './open-ways.ts'
import { payloadReader, principalReader } from './proxy-claims.ts'
import { headerReader } from './proxy-header.ts'
import { type IdentityReader, proxyWay, whyNobody } from './proxy-way.ts'
import type { IsEmailAdmitted, Vouching } from './vouched.ts'

interface Needs {
  /** `auth.proxy`: whose people are the gate's own. */
  readonly general: ProxyConfig | undefined
  /** `server.trustedProxies` names nobody: then a signature is good from anybody, and a plain word from this machine alone. */
  readonly nobodyNamed: boolean
  /** Of their claims, where they have some. */
  readonly kept: KeptPaths
  /** For addresses that the administrator wrote. */
  readonly fetch: FetchDocument
  readonly admit: Vouching['admit']
  readonly isEmailAdmitted: IsEmailAdmitted
  readonly clock: Clock
  readonly log: Log
}

/** Each proxy's way once, with its keys and its memory, whatever servers it stands before. */
export function spokesmen(needs: Needs): (proxy: ProxyConfig) => SpokesmanWay {
  const { general, nobodyNamed, kept, admit, isEmailAdmitted, clock, log } = needs
  const onUntrusted = tellUntrusted('An identity header', { clock, log })
  const told = { admit, isEmailAdmitted, onUntrusted }
  const made = new Map<ProxyConfig, SpokesmanWay>()

  function make(proxy: ProxyConfig): SpokesmanWay {
    const families = identityHeadersOf(proxy)
    const [headers] = families
    if (isSigning(proxy) && headers !== undefined) {
      const edge = signedEdge(proxy)
      const { clockTolerance } = proxy
      const way = edgeWay({ ...needs, ...told, edge, headers, clockTolerance, fromAnybody: nobodyNamed })
      return { way, whyNobody: (credentials) => whyNobody([headers.user], credentials) }
    }
    const reader = readerOf({ ...proxy, kept }, families, clock)
    const way = proxyWay({ ...told, reader, issuer: issuerOf(proxy, general) })
    return { way, whyNobody: (credentials) => whyNobody(reader.fields, credentials) }
  }

  return (proxy) => {
    const known = made.get(proxy) ?? make(proxy)
    made.set(proxy, known)
    return known
  }
}

function readerOf(
  proxy: ProxyConfig & { readonly kept: KeptPaths },
  families: readonly IdentityHeaders[],
  clock: Clock,
): IdentityReader {
  const [headers = { user: '' }] = families
  switch (proxy.preset) {
    case 'istio':
      return payloadReader(headers, proxy, clock)
    case 'azure-easyauth':
      return principalReader(headers, proxy)
    default:
      return headerReader(families, proxy.groupsSeparator)
  }
}
