// `/api/v1/tokens`: a person's own API tokens, and for administrators everybody's.
import { z } from 'zod'
import type { Exchange } from '../http/exchange.ts'
import type { Clock } from '../protocol/clock.ts'
import { ADMIN_PATH } from '../protocol/resource.ts'
import type { ApiTokenAct, ApiTokenLife, IssuedApiToken, RecordedActor } from '../tokens/api-token-life.ts'
import type { Api, Visit, VisitOf } from './api.ts'
import type { Caller } from './caller.ts'
import { askedOf, creation, issued, listing, oneToken, renaming, revoking, rotating, tell, told } from './token-body.ts'

const AT = `${ADMIN_PATH}/tokens`
const ONE = `${AT}/:id`

export interface TokenRoutesNeeds {
  readonly life: ApiTokenLife
  readonly clock: Clock
  readonly visitOf: VisitOf
  recordAct(exchange: Exchange, caller: Caller, act: ApiTokenAct): Promise<void>
}

export function tokenRoutes(api: Api, { life, clock, visitOf, recordAct }: TokenRoutesNeeds): void {
  const actorOf = ({ exchange, caller }: Visit): RecordedActor => ({
    id: caller.id,
    administrator: caller.administrator,
    reach: caller.principal?.reach,
    // What this API's own tokens hold opens no server: it binds nothing.
    scopes: undefined,
    record: (act) => recordAct(exchange, caller, act),
  })
  const tellIssued = ({ token, secret }: IssuedApiToken) => ({ token: tell(token, clock()), secret })

  api.post(
    AT,
    { schema: { summary: 'Create a token', body: creation, response: { 201: issued } } },
    async (request, reply) => {
      const made = await life.create(actorOf(visitOf(request)), askedOf(request.body, clock()))
      return reply.code(201).header('Location', `${AT}/${made.token.id}`).send(tellIssued(made))
    },
  )

  const page = z.object({ tokens: z.array(told), next_offset: z.int().nullable() })
  api.get(
    AT,
    { schema: { summary: 'List tokens', querystring: listing, response: { 200: page } } },
    async (request) => {
      const { owner, all, limit, offset } = request.query
      // One more than asked tells whether there is a next page.
      const found = await life.list(actorOf(visitOf(request)), { owner, all, limit: limit + 1, offset })
      const tokens = found.slice(0, limit).map((token) => tell(token, clock()))
      return { tokens, next_offset: found.length > limit ? offset + limit : null }
    },
  )

  api.get(ONE, { schema: { summary: 'Look at a token', params: oneToken, response: { 200: told } } }, async (request) =>
    tell(await life.get(actorOf(visitOf(request)), request.params.id), clock()),
  )

  api.patch(
    ONE,
    { schema: { summary: 'Rename or describe a token', params: oneToken, body: renaming, response: { 200: told } } },
    async (request) => tell(await life.rename(actorOf(visitOf(request)), request.params.id, request.body), clock()),
  )

  api.delete(
    ONE,
    { schema: { summary: 'Revoke a token', params: oneToken, body: revoking, response: { 204: z.null() } } },
    async (request, reply) => {
      await life.revoke(actorOf(visitOf(request)), request.params.id, request.body?.reason)
      return reply.code(204).send(null)
    },
  )

  api.post(
    `${ONE}/rotate`,
    {
      schema: {
        summary: 'Give a token a new secret; the old one works on for the transition',
        params: oneToken,
        body: rotating,
        response: { 200: issued },
      },
    },
    async (request) => {
      const { transition, expires_in: ttl } = request.body ?? {}
      return tellIssued(await life.rotate(actorOf(visitOf(request)), request.params.id, { transition, ttl }))
    },
  )
}
