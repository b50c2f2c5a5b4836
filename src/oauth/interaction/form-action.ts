// Where a form of ours may lead: CSP `form-action`. Chromium follows the rule through every redirect of the navigation, so a page
// whose POST ends at the client must name the client's address too, and one that starts a federation the provider's.
import type { FormAction } from '../../http/page.ts'
import type { Interaction } from './flow.ts'

const HOST = /^[a-z0-9.-]+$/

/** The narrowest source expression for an address; only the scheme where a host cannot be written (IPv6, private-use schemes). */
function sourceOf(address: string): string[] {
  if (!URL.canParse(address)) return []
  const { protocol, hostname, host } = new URL(address)
  if (protocol !== 'http:' && protocol !== 'https:') return [protocol]
  // A host may hold `;` or `,` (WHATWG URL), which would end the directive; CSP has no way to write `[::1]`.
  return [HOST.test(hostname) ? `${protocol}//${host}` : protocol]
}

interface Journey {
  /** Whose client the journey may end at. */
  readonly interaction: Pick<Interaction, 'redirectUri' | 'client'>
  /** Origins of identity providers the page has buttons for. */
  readonly providers?: readonly string[]
  /** One of them is known to redirect on. */
  readonly leadsOn?: boolean
  /** The page asks for a password of ours. */
  readonly password?: boolean
}

export function formTargets({ interaction, providers = [], leadsOn = false, password = false }: Journey): FormAction {
  // Another gateway's callback sends the browser on at once, to a client that only the gateway knows: perhaps a program on this computer.
  if (interaction.client.kind === 'gateway') return 'anywhere'
  const known = [interaction.redirectUri, ...providers].flatMap(sourceOf)
  // A provider may itself redirect on to others nobody told us of (a federated tenant, a customer's own domain). Where no password is
  // typed there is nothing to lead astray, so any https address may follow; where one is, only the known ones, unless a
  // provider is nothing without the next.
  const further = leadsOn || (providers.length > 0 && !password) ? ['https:'] : []
  return [...new Set(["'self'", ...known, ...further])]
}
