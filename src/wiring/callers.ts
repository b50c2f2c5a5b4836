// Who may be calling: people and their attributes, the identity providers, and the ways to knock.
import { isReachable } from '../config/admin.ts'
import { configuredFetch } from '../http/configured-fetch.ts'
import { createAdmission } from '../identity/admission.ts'
import { attributesOf } from '../identity/attributes.ts'
import { createIdentityProviders } from '../identity/idp.ts'
import { checkLocalAdministrator } from '../identity/local-administrator.ts'
import { passwordHasher } from '../identity/password.ts'
import { usersOf } from '../identity/users.ts'
import { createVouching } from '../identity/vouched.ts'
import { resolveRoles } from '../policy/roles.ts'
import { openApiTokens } from './api-tokens.ts'
import type { Ground, Opened } from './ground.ts'
import { openAuthenticate } from './ways.ts'

export type Callers = Awaited<ReturnType<typeof openCallers>>

export async function openCallers(ground: Ground, opened: Opened) {
  const { config, identity, store, clock, revocations, signIns, names } = ground
  const { durable, ephemeral } = store
  checkLocalAdministrator(config.admin, isReachable(config.server))
  const isAdmitted = createAdmission(identity)
  const users = usersOf({
    users: durable.users,
    passwords: passwordHasher(),
    counters: ephemeral.counters,
    isAdmitted,
    keepTokens: signIns?.keep,
    clock,
  })
  const asking = configuredFetch(names.resolve)
  opened.push(asking.close)
  const idps = await createIdentityProviders({
    identity,
    clockTolerance: config.auth.clockTolerance,
    keepsTokens: signIns !== undefined,
    fetch: asking.fetch,
    clock,
  })
  const attributes = attributesOf({
    findUser: (id) => durable.users.find(id),
    isAdmitted,
    resolveRoles: (user) => resolveRoles(user, config.roles),
    clock,
  })
  revocations.onChange(attributes.forget)
  const vouching = createVouching({
    findByIdentity: (issuer, identity) => durable.users.findByIdentity(issuer, identity),
    resolveRoles: (vouched) => resolveRoles(vouched, config.roles),
    clock,
  })
  revocations.onChange(vouching.forget)
  const apiTokens = openApiTokens(ground, { attributes, isAdmitted })
  const authenticate = openAuthenticate(ground, { attributes, vouching, apiTokens: apiTokens.way })
  return { isAdmitted, users, idps, attributes, vouching, apiTokens, authenticate }
}
