// Providers at which anybody in the world may have an account: without a list of addresses, anybody in the world may sign in.
import type { IdentityConfig } from './identity.ts'

type Provider = IdentityConfig['providers'][number]

export function worldOpenWarnings({ providers, allowedEmails }: Pick<IdentityConfig, 'providers' | 'allowedEmails'>) {
  return providers.flatMap((provider): string[] => {
    if (provider.type === 'local' || !isWorldOpen(provider)) return []
    if ((provider.allowedEmails ?? allowedEmails).length > 0) return []
    return [
      `identity.allowedEmails is empty, and ${provider.id} (${provider.type}) knows everybody: anyone with an account there can sign in. List who may, such as *@example.com.`,
    ]
  })
}

function isWorldOpen(provider: Provider): boolean {
  if (provider.type === 'google' || provider.type === 'github') return true
  // Entra's authorities for every tenant and for private accounts.
  return (
    provider.type === 'entra' && /^\/(?:common|organizations|consumers)(?:\/|$)/.test(new URL(provider.issuer).pathname)
  )
}
