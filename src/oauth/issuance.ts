// What the library has answered but not yet sent, be it granted or refused: the act is committed first, and what cannot be recorded is
// not told.
import type { EventEmitter } from 'node:events'
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Durable } from '../store/durable.ts'
import type { Act, Acts } from './acts.ts'
import { temporarilyUnavailable } from './answers.ts'
import { currentCall } from './call.ts'
import { renderError } from './error-page.ts'

interface Needs {
  readonly acts: Acts
  readonly clients: Pick<Durable['clients'], 'markUsed' | 'remove'>
  /** A token was issued to the client of this id. */
  markUsed(client: string): void
  /** `false`: the code was spent meanwhile, and nothing of this answer may leave. */
  spendCode(family: string | undefined): Promise<boolean>
  readonly clock: Clock
  readonly log: Pick<Log, 'error'>
}

type Body = Readonly<Record<string, unknown>>

export function issuanceRecorder({ acts, clients, markUsed, spendCode, clock, log }: Needs) {
  async function recordToken(ctx: KoaContextWithOIDC): Promise<void> {
    const { oidc } = ctx
    const who = about(ctx)
    const grant = String(oidc.params?.['grant_type'] ?? 'unknown')
    if (ctx.status === 200) {
      await acts.record({ act: 'token_issued', decision: 'allow', reason: grant, ...who })
      if (who.client !== undefined) markUsed(who.client)
      const registered = currentCall()?.client
      if (registered && registered.usedAt === undefined) await clients.markUsed(registered.id, clock())
      // The last that can fail: whoever is told to try again has a code that is good, and tokens that nobody was told of are never used.
      if (await spendCode(who.family)) return
      refuseCode(ctx)
    }
    await acts.record({ act: 'token_refused', decision: 'deny', reason: errorOf(ctx), ...who })
  }

  async function recordRegistration(ctx: KoaContextWithOIDC): Promise<void> {
    const client = ctx.oidc.client?.clientId
    if (ctx.status !== 201 || client === undefined) return
    try {
      await acts.record({ act: 'client_registered', decision: 'allow', reason: 'registered', client })
    } catch (error) {
      await clients.remove(client)
      throw error
    }
  }

  return async function recordIssuance(ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> {
    await next()
    const { refused, refusal } = currentCall() ?? {}
    const route = ctx.oidc?.route
    try {
      if (refused !== undefined) await acts.record({ ...refused, decision: 'deny', ...about(ctx) })
      if (route === 'token') await recordToken(ctx)
      if (route === 'registration') await recordRegistration(ctx)
    } catch (error) {
      log.error({ error }, 'what was answered could not be recorded and is withheld')
      return withhold(ctx)
    }
    if (route?.startsWith('client')) withholdSecret(ctx)
    if (refusal !== undefined && errorOf(ctx) === 'invalid_grant')
      ctx.body = { ...bodyOf(ctx), error_description: refusal }
  }
}

/** What the library refuses elsewhere than at the token endpoint, by the event it tells of it. What the person refused is recorded with the answer. */
const REFUSALS = {
  'authorization.error': 'authorization_refused',
  'registration_create.error': 'registration_refused',
  'registration_read.error': 'registration_refused',
  'registration_update.error': 'registration_refused',
  'registration_delete.error': 'registration_refused',
  'revocation.error': 'token_refused',
  'introspection.error': 'token_refused',
} as const

/** Only noted here: nobody waits for who hears an event. Of two errors of one request the last is the one that is answered. */
export function hearRefusals(provider: EventEmitter): void {
  for (const [event, act] of Object.entries(REFUSALS))
    provider.on(event, (_ctx: KoaContextWithOIDC, { error }: errors.OIDCProviderError) => {
      const call = currentCall()
      if (call !== undefined && error !== 'access_denied') call.refused = { act, reason: error }
    })
}

function about({ oidc }: KoaContextWithOIDC): Pick<Act, 'subject' | 'client' | 'resource' | 'family'> {
  const token = oidc.entities?.AccessToken
  const resource = typeof token?.aud === 'string' ? token.aud : undefined
  return {
    ...(oidc.client === undefined ? {} : { client: oidc.client.clientId }),
    ...(oidc.account === undefined ? {} : { subject: oidc.account.accountId }),
    ...(resource === undefined ? {} : { resource }),
    ...(token?.grantId === undefined ? {} : { family: token.grantId }),
  }
}

const RETRY_AFTER = '5'
const START_AGAIN = 'nothing was done. Wait a little, then start again from your application.'

/** Nothing of what the library would have said leaves: neither a refusal nor where it sends the browser (RFC 9110 §15.6.4). */
export function withhold(ctx: KoaContextWithOIDC): void {
  const { error, error_description } = temporarilyUnavailable()
  ctx.remove('Location')
  ctx.remove('WWW-Authenticate')
  ctx.status = 503
  ctx.set('Retry-After', RETRY_AFTER)
  // A page that is loaded again has lost its question: the library takes it away before it answers.
  if (ctx.accepts('json', 'html') === 'html') renderError(ctx, { error, error_description: START_AGAIN })
  else ctx.body = { error, error_description }
}

/** As the library answers a code that it sees to be spent (RFC 6749 §5.2). */
function refuseCode(ctx: KoaContextWithOIDC): void {
  const { status, error, error_description } = new errors.InvalidGrant('the code was spent meanwhile')
  ctx.status = status
  ctx.body = { error, error_description }
}

const bodyOf = (ctx: KoaContextWithOIDC): Body => {
  const body: unknown = ctx.body
  return typeof body === 'object' && body !== null ? { ...body } : {}
}

const errorOf = (ctx: KoaContextWithOIDC): string => String(bodyOf(ctx)['error'] ?? 'server_error')

/** RFC 7592 §3: the secret is told once, when it is made; afterwards we only have its hash. */
function withholdSecret(ctx: KoaContextWithOIDC): void {
  const { client_secret: secret, ...rest } = bodyOf(ctx)
  if (typeof secret === 'string' && secret.startsWith('sha256~')) ctx.body = rest
}
