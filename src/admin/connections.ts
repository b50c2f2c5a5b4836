// `/api/v1/connections`: a person's own accounts at the servers behind the gate. Connecting one needs the person in a browser: no token
// makes a connection.
import { z } from 'zod'
import type { Connection, Connections } from '../protocol/connections.ts'
import { RequestError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import { ADMIN_PATH } from '../protocol/resource.ts'
import type { Api, VisitOf } from './api.ts'

const AT = `${ADMIN_PATH}/connections`

export interface ConnectionRoutesNeeds {
  readonly connections: Connections
  sees(principal: Principal, server: string): boolean
  /** The person has another account there now, or none. */
  onConnectionChanged(subjects: readonly string[], server: string): Promise<void>
  readonly visitOf: VisitOf
}

const told = z.object({
  server: z.string(),
  title: z.string(),
  kind: z.enum(['oauth', 'secret']),
  state: z.enum(['connected', 'needs_reauth', 'not_connected']),
  scopes: z.array(z.string()),
  issuer: z.string().nullable(),
  connected_at: z.iso.datetime().nullable(),
  used_at: z.iso.datetime().nullable(),
})
const oneServer = z.object({ server: z.string() })

export function connectionRoutes(api: Api, needs: ConnectionRoutesNeeds): void {
  const { connections, sees, onConnectionChanged, visitOf } = needs

  api.get(
    AT,
    { schema: { summary: 'My accounts at the servers', response: { 200: z.object({ connections: z.array(told) }) } } },
    async (request) => {
      const { id, principal } = visitOf(request).caller
      const held = new Map((await connections.list(id)).map((one) => [one.server, one]))
      const connectable = connections.connectable()
      const gone = [...held.values()]
        .filter(({ server }) => !connectable.some((one) => one.server === server))
        .map(({ server, kind }) => ({ server, title: server, kind }))
      return {
        connections: [...connectable, ...gone]
          .filter(({ server }) => held.has(server) || principal === undefined || sees(principal, server))
          .map(({ server, title, kind }) => ({ server, title, kind, ...tell(held.get(server)) })),
      }
    },
  )

  api.delete(
    `${AT}/:server`,
    { schema: { summary: 'Disconnect my account at a server', params: oneServer, response: { 204: z.null() } } },
    async (request, reply) => {
      const { id } = visitOf(request).caller
      const { server } = request.params
      if (!(await connections.disconnect(id, server)))
        throw new RequestError(404, 'unknown_connection', 'There is no such connection.')
      await onConnectionChanged([id], server)
      return reply.code(204).send(null)
    },
  )
}

const timeOf = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString())

const tell = (connection: Connection | undefined) => ({
  state: connection?.state ?? ('not_connected' as const),
  scopes: [...(connection?.scopes ?? [])],
  issuer: connection?.issuer ?? null,
  connected_at: timeOf(connection?.connectedAt),
  used_at: timeOf(connection?.usedAt),
})
