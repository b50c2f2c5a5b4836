// Who may be calling: people and their attributes, the identity providers, and the ways to knock.
import { createAdmission } from '../identity/admission.ts'
import { attributesOf } from '../identity/attributes.ts'
import { authenticator } from '../identity/authenticate.ts'
import { createIdentityProviders } from '../identity/idp.ts'
import { passwordHasher } from '../identity/password.ts'
import { usersOf } from '../identity/users.ts'
import { resolveRoles } from '../policy/roles.ts'
import type { Ground } from './ground.ts'

export type Callers = Awaited<ReturnType<typeof openCallers>>

export async function openCallers({ config, store, clock, tokens, revocations }: Ground) {
  const { durable, ephemeral } = store
  const isAdmitted = createAdmission(config.identity)
  const users = usersOf({
    users: durable.users,
    passwords: passwordHasher(),
    counters: ephemeral.counters,
    isAdmitted,
    clock,
  })
  const idps = await createIdentityProviders({
    identity: config.identity,
    clockTolerance: config.auth.clockTolerance,
    clock,
  })
  const attributes = attributesOf({
    findUser: (id) => durable.users.find(id),
    isAdmitted,
    resolveRoles: (user) => resolveRoles(user, config.roles),
    clock,
  })
  revocations.onChange(attributes.forget)
  const authenticate = authenticator({
    verify: tokens.verify,
    attributes,
    anonymous: config.auth.anonymous,
    tokens: config.auth.tokens,
  })
  return { isAdmitted, users, idps, attributes, authenticate }
}
