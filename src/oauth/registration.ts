// Dynamic client registration (RFC 7591) and its management (RFC 7592): open to strangers, so counted before anything is read.
import { errors } from 'oidc-provider'
import type { OAuthConfig } from '../config/oauth.ts'
import { readBody } from '../http/body.ts'
import type { Endpoint, Exchange } from '../http/exchange.ts'
import { checkMethod } from '../http/method.ts'
import type { Clock } from '../protocol/clock.ts'
import { RequestError } from '../protocol/errors.ts'
import { networkOf } from '../protocol/network.ts'
import type { Durable } from '../store/durable.ts'
import type { Counters } from '../store/ephemeral.ts'
import { answeringClients, type Refused } from './answers.ts'
import { parseClientMetadata } from './client-metadata.ts'
import { hashClientSecret } from './client-secret.ts'
import type { Library } from './library.ts'

export const REGISTRATION_ROUTE = '/oauth/register'
const HOUR = 3_600_000
const LARGEST = 64 * 1024
/** RFC 7592 §2.2: an update that sends one of these is refused by the library, so they are passed on to it. */
const MANAGED = [
  'client_id',
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
]

interface Needs {
  readonly library: Library
  readonly clients: Pick<Durable['clients'], 'count' | 'removeNeverUsed'>
  readonly counters: Pick<Counters, 'hit'>
  readonly registration: OAuthConfig['registration']
  readonly clock: Clock
  readonly bodyTimeout: number
  readonly refused: Refused
}

export function registrationEndpoints(needs: Needs) {
  const { library, clients, counters, registration, clock, bodyTimeout, refused } = needs

  async function checkQuota({ address, req }: Exchange): Promise<void> {
    const now = clock()
    // A page of any site can post from here in a person's browser: it uses up what pages have, and not what programs have.
    const way = req.headers.origin === undefined ? '' : 'page:'
    const sender = await counters.hit(`register:${way}${networkOf(address)}`, HOUR, now)
    if (sender > registration.perAddress) throw tooMany('registration_quota', now)
    if ((await counters.hit('register', HOUR, now)) > registration.total) throw tooMany('registration_quota_total', now)
    if ((await clients.count()) < registration.clients) return
    await clients.removeNeverUsed(now - registration.neverUsedTtl)
    if ((await clients.count()) >= registration.clients) throw tooMany('registration_cap', now)
  }

  async function readMetadata(exchange: Exchange): Promise<Record<string, unknown>> {
    if (!/^application\/json\s*(?:;|$)/i.test(exchange.req.headers['content-type'] ?? ''))
      throw new errors.InvalidRequest('client metadata must be application/json')
    const body = await readBody(exchange, LARGEST, bodyTimeout)
    const json = parseJson(body)
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw new errors.InvalidRequest('client metadata must be a JSON object')
    return { ...json }
  }

  const send = (exchange: Exchange, method: 'POST' | 'PUT', target: string, metadata: object) =>
    library.call(exchange, {
      method,
      target,
      credentials: 'authorization',
      body: { type: 'application/json', text: JSON.stringify(metadata) },
    })

  return {
    register: answeringClients(refused, async (exchange) => {
      checkMethod(exchange, 'POST')
      await checkQuota(exchange)
      const metadata = parseClientMetadata(await readMetadata(exchange), 'registration', registration.trustedHosts)
      await send(exchange, 'POST', REGISTRATION_ROUTE, metadata)
    }),

    manage: (id: string): Endpoint =>
      answeringClients(refused, async (exchange) => {
        checkMethod(exchange, 'GET', 'PUT', 'DELETE')
        const target = `${REGISTRATION_ROUTE}/${id}`
        const { method } = exchange.req
        if (method === 'GET' || method === 'DELETE')
          return library.call(exchange, { method, target, credentials: 'authorization' })
        const sent = await readMetadata(exchange)
        const managed = Object.fromEntries(
          MANAGED.filter((name) => Object.hasOwn(sent, name)).map((name) => [name, sent[name]]),
        )
        const secret = sent['client_secret']
        await send(exchange, 'PUT', target, {
          ...parseClientMetadata(sent, 'registration', registration.trustedHosts),
          ...managed,
          ...(typeof secret === 'string' ? { client_secret: hashClientSecret(secret) } : {}),
        })
      }),
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))
  } catch {
    throw new errors.InvalidRequest('client metadata must be a JSON object')
  }
}

const tooMany = (reason: string, now: number) =>
  new RequestError(429, reason, 'Too many registrations. Try again later.', {
    retryAfter: Math.ceil((HOUR - (now % HOUR)) / 1000),
  })
