// A server refuses what it was given (401, or 403 for more scopes): the credential is had anew, and the server asked once more. Only before
// anything of its answer went to the client, and never a second time. MCP 2026-07-28, Authorization.
import type { IncomingHttpHeaders } from 'node:http'
import type { Binding } from '../upstreams/binding.ts'
import type { Caller } from '../upstreams/caller.ts'
import { UpstreamRefused } from '../upstreams/credential.ts'
import type { Refused, Upstream, Upstreams } from '../upstreams/upstream.ts'

/** Whether another credential may help; other 403s are the server's policy, and asking again changes nothing. */
export function refusedBy(status: number, headers: IncomingHttpHeaders): Refused | undefined {
  const challenge = headers['www-authenticate']
  const asksForMore = status === 403 && challenge !== undefined && /\berror="?insufficient_scope\b/.test(challenge)
  return status === 401 || asksForMore ? { status, challenge } : undefined
}

interface Needs {
  readonly binding: Pick<Binding, 'renew'>
  readonly report: Upstreams['report']
}

/**
 * `use` rejects with UpstreamRefused where the server refused, and nothing went to the client. `last`: what the server says then stays.
 * Rejects as `use` does, and as `binding.renew`.
 */
export async function withRenewal<U extends Upstream, T>(
  { binding, report }: Needs,
  upstream: U,
  caller: Caller | undefined,
  use: (upstream: U, last: boolean) => Promise<T>,
): Promise<T> {
  // Without a credential of ours there is none to be had anew.
  if (upstream.kind !== 'remote' || upstream.given === undefined) return use(upstream, true)
  const { id, personal } = upstream
  const renew = (refused: Refused) => binding.renew(upstream, caller, refused)
  try {
    return await use(upstream, false)
  } catch (error) {
    if (!(error instanceof UpstreamRefused)) throw error
    return await again(error)
  }

  async function again(first: UpstreamRefused): Promise<T> {
    try {
      const renewed = await renew(first.refused)
      if (renewed === undefined) throw first
      // A remote one goes in, and a remote one comes out.
      return await use(renewed as U, true)
    } catch (error) {
      // That one person's own is refused says nothing of the server.
      if (error instanceof UpstreamRefused && personal !== true) report(id, { ok: false, reason: error.reason })
      throw error
    }
  }
}
