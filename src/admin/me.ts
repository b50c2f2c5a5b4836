// `GET /api/v1/me`: who the administration takes the caller for.
import { z } from 'zod'
import { ADMIN_PATH } from '../protocol/resource.ts'
import type { Api, VisitOf } from './api.ts'

const me = z.object({
  id: z.string(),
  administrator: z.boolean(),
  method: z.enum(['access_token', 'password', 'none']),
  email: z.string().nullable(),
  name: z.string().nullable(),
  groups: z.array(z.string()),
  roles: z.array(z.string()),
  teams: z.array(z.string()),
  client: z.string().nullable(),
  scopes: z.array(z.string()),
})

export function meRoutes(api: Api, visitOf: VisitOf): void {
  const schema = { summary: 'Who am I here?', response: { 200: me } }
  api.get(`${ADMIN_PATH}/me`, { schema }, (request) => {
    const { id, administrator, method, principal } = visitOf(request).caller
    return {
      id,
      administrator,
      method,
      email: principal?.email ?? null,
      name: principal?.name ?? null,
      groups: [...(principal?.groups ?? [])],
      roles: [...(principal?.roles ?? [])],
      teams: [...(principal?.teams ?? [])],
      client: principal?.client ?? null,
      scopes: [...(principal?.scopes ?? [])],
    }
  })
}
