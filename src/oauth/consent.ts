// Consent: asked before anyone signs in, bound to the browser that was asked, remembered per person, client, resource and target.
// It takes the place of the library's own prompt, which comes after the login and goes by grants.

import { randomBytes } from 'node:crypto'
import { errors, type Grant, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import { redirectKind, withoutLoopbackPort } from '../protocol/redirect-uri.ts'
import { parseScope } from '../protocol/scope.ts'
import type { Consents } from '../store/durable.ts'
import type { Acts } from './acts.ts'
import { sha256 } from './hash.ts'
import { IDENTITY_SCOPES } from './scopes.ts'
import { isSignInClient } from './sign-in-client.ts'

/** What a client asks of a person. */
export interface Asked {
  readonly client: string
  readonly redirectUri: string
  readonly resource: string
  readonly scopes: readonly string[]
}

export function askedOf(params: Readonly<Record<string, unknown>> = {}): Asked {
  const text = (name: string): string => {
    const value = params[name]
    return typeof value === 'string' ? value : ''
  }
  return {
    client: text('client_id'),
    redirectUri: text('redirect_uri'),
    resource: text('resource'),
    scopes: parseScope(text('scope')),
  }
}

/** An answer counts for exactly what was asked: another resource, target or scope in the same browser is another question. */
export const digestOf = ({ client, redirectUri, resource, scopes }: Asked): string =>
  sha256(JSON.stringify([client, redirectUri, resource, [...scopes].sort()]))

const keyOf = (subject: string, asked: Asked) => ({
  subject,
  client: asked.client,
  resource: asked.resource,
  redirectUri: withoutLoopbackPort(asked.redirectUri),
})

export async function isRemembered(consents: Pick<Consents, 'find'>, subject: string | undefined, asked: Asked) {
  if (subject === undefined) return false
  const given = await consents.find(keyOf(subject, asked))
  return given !== undefined && asked.scopes.every((scope) => given.scopes.includes(scope))
}

/**
 * Nobody is sent back without having seen a page of ours when any local program could be the client (RFC 8252 §8.6),
 * or when another site, perhaps one in the middle, started the navigation. Browsers that do not say where it started: asked.
 */
function isSilencePossible(ctx: KoaContextWithOIDC, asked: Asked): boolean {
  const site = ctx.get('sec-fetch-site')
  if (site !== 'none' && site !== 'same-origin') return false
  return redirectKind(asked.redirectUri) === 'web' || ctx.oidc.client?.clientAuthMethod !== 'none'
}

interface Needs {
  readonly consents: Consents
  readonly acts: Acts
  readonly clock: Clock
  readonly log: Pick<Log, 'error'>
}

export function consentKeeper({ consents, acts, clock, log }: Needs) {
  /** An answer that was given while nobody, or somebody else, was signed in is not this person's, unless they signed in behind it. */
  function answered({ oidc: { result, session } }: KoaContextWithOIDC, asked: Asked): boolean {
    if (result?.consent?.['what'] !== digestOf(asked)) return false
    return result.login !== undefined || result.consent['who'] === session?.accountId
  }

  async function isAllowed(ctx: KoaContextWithOIDC): Promise<boolean> {
    const asked = askedOf(ctx.oidc.params)
    // It hands nothing out and sends the browser to an address of ours: there is nothing to allow.
    if (isSignInClient(ctx.oidc.client?.clientId) || answered(ctx, asked)) return true
    return isSilencePossible(ctx, asked) && (await isRemembered(consents, ctx.oidc.session?.accountId, asked))
  }

  return {
    prompts(): interactionPolicy.DefaultPolicy {
      const prompts = interactionPolicy.base()
      prompts.remove('consent')
      const check = new interactionPolicy.Check(
        'not_allowed_yet',
        'the person has not allowed this yet',
        'consent_required',
        async (ctx) => !(await isAllowed(ctx)),
      )
      prompts.add(new interactionPolicy.Prompt({ name: 'consent', requestable: true }, check), 0)
      return prompts
    },

    /** A fresh family for each authorization: theft on one laptop must not sign out the other. Saved with its code, not before. */
    async loadExistingGrant(ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
      const { client, session, provider } = ctx.oidc
      if (!client || session?.accountId === undefined || !(await isAllowed(ctx))) return undefined
      const asked = askedOf(ctx.oidc.params)
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
      grant.jti = randomBytes(24).toString('base64url')
      const isIdentity = (scope: string) => IDENTITY_SCOPES.some((name) => name === scope)
      grant.addOIDCScope(asked.scopes.filter(isIdentity))
      // Of these the library keeps what the resource itself names: an identity scope only where `requiredScopes` asks for it.
      grant.addResourceScope(asked.resource, [...asked.scopes])
      return grant
    },

    /** The account is known and a code is about to exist: record first, then ledger and family, so that nothing is remembered which the record does not say. */
    async settle(ctx: KoaContextWithOIDC): Promise<void> {
      const { grant, session } = ctx.oidc
      if (!grant || session?.accountId === undefined) throw new TypeError('a code without an account or a family')
      const asked = askedOf(ctx.oidc.params)
      const subject = session.accountId
      const isNew = answered(ctx, asked)
      const reason = isNew ? 'allowed_by_person' : isSignInClient(asked.client) ? 'own_sign_in' : 'remembered'
      const { client, resource } = asked
      try {
        await acts.record({ act: 'consent', decision: 'allow', reason, subject, client, resource, family: grant.jti })
      } catch (error) {
        log.error({ error }, 'a consent could not be recorded and no code is given')
        // RFC 6749 §4.1.2.1: the client may try again, and is told so once that can be recorded (issuance.ts).
        throw new errors.TemporarilyUnavailable('try again later')
      }
      if (isNew) await consents.record({ ...keyOf(subject, asked), scopes: asked.scopes, at: clock() })
      await grant.save()
    },
  }
}
