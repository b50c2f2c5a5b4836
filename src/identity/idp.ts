// The company's identity providers, in the order of the configuration.
import type { IdentityConfig } from '../config/identity.ts'
import type { Clock } from '../protocol/clock.ts'
import { OperatorError } from '../protocol/errors.ts'
import { githubProvider } from './github.ts'
import { mappingOf } from './kinds.ts'
import { type IdentityProvider, type IdentityProviders, mayBePlain } from './provider.ts'

interface Needs {
  readonly identity: Pick<IdentityConfig, 'providers' | 'mapping'>
  /** Seconds of skew accepted from the providers' clocks. */
  readonly clockTolerance: number
  readonly development: boolean
  readonly clock: Clock
}

/** Throws OperatorError for an address that may not be used. Contacts nobody. */
export async function createIdentityProviders({
  identity,
  clockTolerance,
  development,
  clock,
}: Needs): Promise<IdentityProviders> {
  const isOpenid = identity.providers.some(({ type }) => type !== 'local' && type !== 'github')
  // Loaded where it is needed: a gate with local accounts alone should not pay for it.
  const openid = isOpenid ? await import('./openid-provider.ts') : undefined
  const offered = identity.providers.flatMap((provider): IdentityProvider[] => {
    if (provider.type === 'local') return []
    checkAddresses(provider, development)
    if (provider.type === 'github') return [githubProvider(provider)]
    if (!openid) return []
    return [openid.openidProvider({ provider, mapping: mappingOf(provider, identity.mapping), clockTolerance, clock })]
  })
  const local = identity.providers.find((provider) => provider.type === 'local')
  return {
    offered,
    local: local && { title: local.title },
    find: (id) => offered.find((provider) => provider.id === id),
  }
}

function checkAddresses(provider: { id: string; issuer: string; api?: string }, development: boolean): void {
  for (const address of [provider.issuer, provider.api ?? provider.issuer])
    if (!mayBePlain(address, development))
      throw new OperatorError(
        `identity.providers ${provider.id}: ${address} must be https:// (plain http is for loopback, or server.development: true).`,
      )
}
