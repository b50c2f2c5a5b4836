// A server refuses what it was given (401, or 403 for more scopes): the credential is had anew, and the server asked once more. Only before
// anything of its answer went to the client, and never a second time. MCP 2026-07-28, Authorization.
import type { IncomingHttpHeaders } from 'node:http'
import type { Binding } from '../upstreams/binding.ts'
import type { Caller } from '../upstreams/caller.ts'
import { UpstreamRefused } from '../upstreams/credential.ts'
import type { Refused, Upstream } from '../upstreams/upstream.ts'

/** Whether another credential may help; other 403s are the server's policy, and asking again changes nothing. */
export function refusedBy(status: number, headers: IncomingHttpHeaders): Refused | undefined {
  const challenge = headers['www-authenticate']
  const asksForMore = status === 403 && challenge !== undefined && /\berror="?insufficient_scope\b/.test(challenge)
  return status === 401 || asksForMore ? { status, challenge } : undefined
}

/**
 * `use` rejects with UpstreamRefused where the server refused, and nothing went to the client. `last`: what the server says then stays.
 * Rejects as `use` does, and as `binding.renew`.
 */
export async function withRenewal<U extends Upstream, T>(
  binding: Pick<Binding, 'renew'>,
  upstream: U,
  caller: Caller | undefined,
  use: (upstream: U, last: boolean) => Promise<T>,
): Promise<T> {
  // Without a credential of ours there is none to be had anew.
  if (upstream.kind !== 'remote' || upstream.given === undefined) return use(upstream, true)
  try {
    return await use(upstream, false)
  } catch (error) {
    if (!(error instanceof UpstreamRefused)) throw error
    const again = await binding.renew(upstream, caller, error.refused)
    if (again === undefined) throw error
    // A remote one goes in, and a remote one comes out.
    return use(again as U, true)
  }
}
