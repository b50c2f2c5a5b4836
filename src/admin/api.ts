// The administration's API: fastify on requests that our own listener took and our own gates passed. Loaded with the first of them.
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import swagger from '@fastify/swagger'
import { type FastifyError, type FastifyInstance, type FastifyRequest, fastify } from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { readBody } from '../http/body.ts'
import type { Endpoint, Exchange } from '../http/exchange.ts'
import { parseJson } from '../http/json-body.ts'
import { type Answer, answerOf } from '../http/responses.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import { ADMIN_PATH, adminResource } from '../protocol/resource.ts'
import { type Caller, type CallerNeeds, callerOf } from './caller.ts'
import { type ConnectionRoutesNeeds, connectionRoutes } from './connections.ts'
import { meRoutes } from './me.ts'
import { type ActsNeeds, adminActs } from './record.ts'
import { type TokenRoutesNeeds, tokenRoutes } from './tokens.ts'

const LARGEST_BODY = 64 * 1024

const typed = (app: FastifyInstance) => app.withTypeProvider<ZodTypeProvider>()
export type Api = ReturnType<typeof typed>

/** What is known of a request beside its bytes. */
export interface Visit {
  readonly exchange: Exchange
  readonly caller: Caller
}
export type VisitOf = (request: FastifyRequest) => Visit

export interface ApiNeeds
  extends CallerNeeds,
    ActsNeeds,
    Pick<TokenRoutesNeeds, 'life' | 'clock'>,
    Omit<ConnectionRoutesNeeds, 'visitOf'> {
  readonly bodyTimeout: number
  onRefusal(exchange: Exchange, answer: Answer, error: unknown): void
}

export async function openApi(needs: ApiNeeds): Promise<Endpoint> {
  const exchanges = new WeakMap<IncomingMessage, Exchange>()
  const callers = new WeakMap<IncomingMessage, Caller>()
  const findCaller = callerOf(needs)
  const acts = adminActs(needs)
  const resource = adminResource(needs.serverUrl)
  const exchangeOf = ({ raw }: FastifyRequest): Exchange => known(exchanges.get(raw))
  const visitOf: VisitOf = (request) => ({ exchange: exchangeOf(request), caller: known(callers.get(request.raw)) })

  let listener: RequestListener | undefined
  const app = fastify({
    serverFactory(handler) {
      listener = handler
      // Never listens: ours does, and hands its requests over.
      return createServer()
    },
    exposeHeadRoutes: false,
    bodyLimit: LARGEST_BODY,
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', async (request: FastifyRequest) => {
    const body = await readBody(exchangeOf(request), LARGEST_BODY, needs.bodyTimeout)
    // Many clients name the type with every request. The schemas say where a body is needed.
    return body.length === 0 ? undefined : parseJson(request.headers, body)
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('Cache-Control', 'no-store')
    if (!isPublic(request)) callers.set(request.raw, await findCaller(exchangeOf(request)))
  })
  app.setErrorHandler(async (thrown: FastifyError, request, reply) => {
    const exchange = exchangeOf(request)
    const refusal = translated(thrown)
    const error = isAttempt(refusal) ? await acts.recordRefusal(exchange, callers.get(request.raw), refusal) : refusal
    const answer = answerOf(error, { resource })
    needs.onRefusal(exchange, answer, error)
    return reply.code(answer.status).headers(answer.headers).send(answer.body)
  })

  const methods = methodsByAddress(app)
  app.setNotFoundHandler((request, reply) => {
    const allowed = methods(exchangeOf(request).path)
    if (allowed.length === 0) throw new RequestError(404, 'unknown_path', 'There is nothing at this address.')
    reply.header('Allow', allowed.join(', '))
    throw new RequestError(405, 'method_not_allowed', `This address is for ${allowed.join(', ')} only.`)
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Portcullis administration', version: '1' },
      servers: [{ url: needs.serverUrl }],
      components: { securitySchemes: SECURITY_SCHEMES },
      security: [{ oauth: [] }, { password: [] }],
    },
    transform: jsonSchemaTransform,
  })
  app.get(`${ADMIN_PATH}/openapi.json`, { config: { public: true }, schema: { hide: true } }, () => app.swagger())
  const api = typed(app)
  meRoutes(api, visitOf)
  connectionRoutes(api, { ...needs, visitOf })
  tokenRoutes(api, { ...needs, visitOf, recordAct: acts.record })
  await app.ready()

  const handle = known(listener)
  return (exchange) => {
    checkDecodable(exchange.path)
    exchanges.set(exchange.req, exchange)
    handle(exchange.req, exchange.res)
  }
}

const SECURITY_SCHEMES = {
  oauth: { type: 'http', scheme: 'bearer', description: 'An access token for this API (RFC 8707 `resource`).' },
  password: { type: 'http', scheme: 'basic', description: 'The local administrator (`admin.user`, `admin.password`).' },
} as const

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('a request reached the API past its gates')
  return value
}

/** RFC 3986 §2.1: the router takes escapes apart, and answers a broken one in words of its own. */
function checkDecodable(path: string): void {
  try {
    decodeURIComponent(path)
  } catch {
    throw new RequestError(400, 'bad_target', 'The request target is not a plain path.')
  }
}

const isPublic = ({ routeOptions }: FastifyRequest): boolean =>
  (routeOptions.config as { public?: boolean }).public === true

/** What the framework refuses, in our words: never more than that it was the request. */
function translated(thrown: unknown): unknown {
  if (hasZodFastifySchemaValidationErrors(thrown)) {
    const { where } = thrown as { where?: string }
    const [first] = thrown.validation
    const field = first?.instancePath.slice(1).replaceAll('/', '.') ?? ''
    const at = field === '' ? (where ?? 'body') : field
    return new RequestError(400, 'bad_field', `${at}: ${first?.message ?? 'This cannot be read.'}`)
  }
  const { statusCode: status } = thrown as Partial<FastifyError>
  if (status === 415) return new RequestError(415, 'media_type', 'Send application/json.', { close: true })
  if (status === 413) return new RequestError(413, 'body_too_large', 'The request body is too large.', { close: true })
  if (status !== undefined && status >= 400 && status < 500)
    return new RequestError(400, 'bad_request', 'The request cannot be read.', { close: true })
  return thrown
}

/** A first contact only asks the way (RFC 6750 §3.1); what was never there was not tried. */
function isAttempt(error: unknown): boolean {
  if (error instanceof BearerError) return error.code !== undefined
  return error instanceof RequestError && error.status !== 404 && error.status !== 405
}

/** RFC 9110 §15.5.6: an address says which methods it knows. */
function methodsByAddress(app: FastifyInstance): (path: string) => readonly string[] {
  const routes: { readonly address: RegExp; readonly methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ address: new RegExp(`^${url.replace(/:[a-z]+/g, '[^/]+')}$`), methods: [method].flat() })
  })
  return (path) => routes.filter(({ address }) => address.test(path)).flatMap(({ methods }) => methods)
}
