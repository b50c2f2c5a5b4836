// Where a form of ours may lead: CSP `form-action`. Chromium follows the rule through every redirect of the navigation, so a page
// whose POST ends at the client must name the client's address too, and one that starts a federation the provider's.

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
  /** The journey may end at the client. */
  readonly redirectUri?: string
  /** Origins of identity providers the page has buttons for. */
  readonly providers?: readonly string[]
  /** The page asks for a password of ours. */
  readonly password?: boolean
}

export function formTargets({ redirectUri, providers = [], password = false }: Journey): string[] {
  const known = [redirectUri ?? '', ...providers].flatMap(sourceOf)
  // A provider may itself redirect on to others nobody told us of (a federated tenant, a customer's own domain). Where no password is
  // typed there is nothing to lead astray, so any https address may follow; where one is, only the known ones.
  const further = providers.length > 0 && !password ? ['https:'] : []
  return [...new Set(["'self'", ...known, ...further])]
}
