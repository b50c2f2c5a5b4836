// The company's identity providers, in the order of the configuration.
import type { IdentityConfig } from '../config/identity.ts'
import type { Clock } from '../protocol/clock.ts'
import { delegatedProvider } from './delegated.ts'
import { githubProvider } from './github.ts'
import { KINDS, keptOf, mappingOf } from './kinds.ts'
import type { Fetch, IdentityProvider, IdentityProviders } from './provider.ts'

interface Needs {
  readonly identity: Pick<IdentityConfig, 'providers' | 'mapping' | 'claims'>
  /** Seconds of skew accepted from the providers' clocks. */
  readonly clockTolerance: number
  /** What OpenID providers give at sign-in is needed later. */
  readonly keepsTokens: boolean
  readonly fetch: Fetch
  readonly clock: Clock
}

/** Contacts nobody. */
export async function createIdentityProviders({
  identity,
  clockTolerance,
  keepsTokens,
  fetch,
  clock,
}: Needs): Promise<IdentityProviders> {
  const isOpenid = identity.providers.some(({ type }) => !['local', 'github', 'delegated'].includes(type))
  // Loaded where it is needed: a gate with local accounts alone should not pay for it.
  const openid = isOpenid ? await import('./openid-provider.ts') : undefined
  const offered = identity.providers.flatMap((provider): IdentityProvider[] => {
    if (provider.type === 'local') return []
    if (provider.type === 'github') return [githubProvider(provider, fetch)]
    const mapping = mappingOf(provider, identity.mapping)
    const kept = keptOf(provider.mapping, identity)
    if (provider.type === 'delegated')
      return [delegatedProvider({ provider, mapping, kept, proof: KINDS.delegated.proof, fetch })]
    if (!openid) throw new TypeError(`nothing was loaded for a provider of type ${provider.type}`)
    return [openid.openidProvider({ provider, mapping, kept, clockTolerance, keepsTokens, fetch, clock })]
  })
  const local = identity.providers.find((provider) => provider.type === 'local')
  return {
    offered,
    local: local && { title: local.title },
    find: (id) => offered.find((provider) => provider.id === id),
  }
}
