// API tokens: as a way to knock, their life, and what happens to them by itself.
import type { Config } from '../config/schema.ts'
import { longestTokenTtl, tokenScopes } from '../config/tokens.ts'
import { isWithinRanges } from '../http/address-ranges.ts'
import { apiTokenWay } from '../identity/api-key.ts'
import type { AttributesOf } from '../identity/attributes.ts'
import { isReachWithin } from '../policy/reach.ts'
import { resolveRoles } from '../policy/roles.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Durable, UserRecord } from '../store/durable.ts'
import { type ApiTokenLife, aboutToken, apiTokenLife } from '../tokens/api-token-life.ts'
import { apiTokenVerifier } from '../tokens/api-token-verify.ts'
import { type ApiTokenNoticed, watchApiTokens } from '../tokens/api-token-watch.ts'
import type { Ground } from './ground.ts'
import { ownActs } from './own-acts.ts'

interface Known {
  readonly attributes: AttributesOf
  isAdmitted(user: UserRecord): boolean
}

export function openApiTokens(ground: Ground, { attributes, isAdmitted }: Known) {
  const { config, store, clock, log, revocations, keyring, recorder, onError } = ground
  const { durable, ephemeral } = store
  const verifier = apiTokenVerifier({
    tokens: durable.apiTokens,
    revocations,
    secretKey: keyring.apiTokenSecret,
    clock,
    onError,
  })
  const way = apiTokenWay({
    ...verifier,
    attributes,
    resolveRoles: (who) => resolveRoles(who, config.roles),
    isWithin: isWithinRanges,
    onRefused: (refused) => log.warn(refused, 'an API token was refused'),
    counters: ephemeral.counters,
    failures: config.tokens.failures,
    clock,
  })
  const life = openApiTokenLife({
    config,
    durable,
    isAdmitted,
    secretKey: keyring.apiTokenSecret,
    async onChange() {
      verifier.forget()
      await revocations.poll()
    },
    clock,
  })
  const recordAct = ownActs(recorder, clock)
  const record = ({ act, token }: ApiTokenNoticed): Promise<void> =>
    recordAct({ act, decision: 'allow', reason: 'noticed', ...aboutToken(token) })
  const look = (): Promise<void> =>
    watchApiTokens({
      tokens: durable.apiTokens,
      revocations: durable.revocations,
      expiresSoon: config.tokens.expiresSoon,
      record,
      clock,
    })
  return { way, life, look }
}

/** Also beside a running gate, for the command line. */
export function openApiTokenLife(needs: {
  readonly config: Pick<Config, 'tokens' | 'scopes' | 'oauth'>
  readonly durable: Durable
  isAdmitted(user: UserRecord): boolean
  secretKey(): string
  onChange(): Promise<void>
  readonly clock: Clock
}): ApiTokenLife {
  const { config, durable, isAdmitted, secretKey, onChange, clock } = needs
  return apiTokenLife({
    tokens: durable.apiTokens,
    revocations: durable.revocations,
    onChange,
    async findOwner(id) {
      const user = await durable.users.find(id)
      return user && { teams: user.teams, disabled: user.disabled, admitted: isAdmitted(user) }
    },
    bounds: {
      longestTtl: longestTokenTtl(config.tokens),
      transition: config.tokens.transition,
      scopes: tokenScopes(config),
      isReachWithin,
    },
    perOwner: config.tokens.perPrincipal,
    secretKey,
    clock,
  })
}
