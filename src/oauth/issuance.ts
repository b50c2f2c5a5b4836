// What the library has answered but not yet sent: the act is committed first, and what cannot be recorded is not handed out.
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Clock } from '../protocol/clock.ts'
import type { Durable } from '../store/durable.ts'
import type { Act, Acts, Log } from './acts.ts'
import { currentCall } from './call.ts'

interface Needs {
  readonly acts: Acts
  readonly clients: Pick<Durable['clients'], 'markUsed' | 'remove'>
  readonly clock: Clock
  readonly log: Log
}

type Body = Readonly<Record<string, unknown>>

export function issuanceRecorder({ acts, clients, clock, log }: Needs) {
  async function recordToken(ctx: KoaContextWithOIDC): Promise<void> {
    const { oidc } = ctx
    const who = about(ctx)
    const grant = String(oidc.params?.['grant_type'] ?? 'unknown')
    if (ctx.status !== 200)
      return acts.recordRefusal({ act: 'token_refused', decision: 'deny', reason: errorOf(ctx), ...who })
    await acts.record({ act: 'token_issued', decision: 'allow', reason: grant, ...who })
    const registered = currentCall()?.client
    if (registered && registered.usedAt === undefined) await clients.markUsed(registered.id, clock())
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
    try {
      if (ctx.oidc?.route === 'token') await recordToken(ctx)
      if (ctx.oidc?.route === 'registration') await recordRegistration(ctx)
    } catch (error) {
      log.error({ error }, 'what was issued could not be recorded and is withheld')
      ctx.status = 503
      ctx.body = { error: 'temporarily_unavailable', error_description: 'try again later' }
    }
    if (ctx.oidc?.route?.startsWith('client')) withholdSecret(ctx)
  }
}

function about({ oidc }: KoaContextWithOIDC): Pick<Act, 'subject' | 'client' | 'resource' | 'family'> {
  const token = oidc.entities.AccessToken
  const resource = typeof token?.aud === 'string' ? token.aud : undefined
  return {
    ...(oidc.client === undefined ? {} : { client: oidc.client.clientId }),
    ...(oidc.account === undefined ? {} : { subject: oidc.account.accountId }),
    ...(resource === undefined ? {} : { resource }),
    ...(token?.grantId === undefined ? {} : { family: token.grantId }),
  }
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
