// What is known of the servers behind us: how the last attempt at each ended, and since when that is so.
import type { Clock } from '../protocol/clock.ts'
import type { Upstreams } from './upstream.ts'

type Health = ReturnType<Upstreams['health']>[number]

interface Needs {
  readonly ids: readonly string[]
  readonly clock: Clock
  readonly log: Record<'info' | 'warn', (fields: object, message: string) => void>
}

/** What an operator can do where the address of a server is probably not that of its MCP endpoint. */
const REMEDIES: Readonly<Record<string, string>> = {
  no_endpoint: 'There is no MCP endpoint at its url. Write it with the path, such as /mcp.',
  protocol: 'It answered, but not in MCP. Is its url that of its MCP endpoint, with the path, such as /mcp?',
  redirect: 'Write the address that it redirects to as its url: redirects are not followed.',
  upstream_unauthorized: 'It refuses what the gate shows. Write what it is to be given as its credentials.',
}

export function createHealth({ ids, clock, log }: Needs): Pick<Upstreams, 'health' | 'report'> {
  const health = new Map<string, Health>(ids.map((id) => [id, { id, state: 'unknown' }]))
  return {
    health: () => [...health.values()],
    report(id, outcome) {
      const before = health.get(id)
      if (before === undefined) return
      if (outcome.ok) {
        // Reported with every call; that nothing has changed is no news.
        if (before.state === 'up') return
        health.set(id, { id, state: 'up', since: clock() })
        if (before.state === 'down') log.info({ server: id }, 'server up')
        return
      }
      const { reason } = outcome
      const since = before.state === 'down' ? (before.since ?? clock()) : clock()
      if (before.state !== 'down' || before.reason !== reason) health.set(id, { id, state: 'down', reason, since })
      if (before.state !== 'down') log.warn({ server: id, reason, remedy: REMEDIES[reason] }, 'server down')
    },
  }
}
