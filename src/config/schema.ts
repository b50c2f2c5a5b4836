// The configuration, joined: the only list of sections. Types, defaults, variable names, docs and masking come from here.
import { z } from 'zod'
import { admin } from './admin.ts'
import { aggregate } from './aggregate.ts'
import { audit, log, metrics } from './audit.ts'
import { auth } from './auth.ts'
import { cluster } from './cluster.ts'
import { doors, forwardAuth } from './decision.ts'
import { identityForwarding, passthrough } from './forwarding.ts'
import { identity } from './identity.ts'
import { limits } from './limits.ts'
import { oauth } from './oauth.ts'
import { policy } from './policy.ts'
import { roles, scopes } from './scopes.ts'
import { server } from './server.ts'
import { servers } from './servers.ts'
import { store } from './store.ts'
import { tokens } from './tokens.ts'
import { vault } from './vault.ts'

export const Config = z.strictObject({
  server: server.prefault({}),
  store: store.prefault({}),
  auth: auth.prefault({}),
  identity: identity.prefault({}),
  tokens: tokens.prefault({}),
  vault: vault.prefault({}),
  roles,
  scopes,
  oauth: oauth.prefault({}),
  servers,
  identityForwarding: identityForwarding.optional(),
  passthrough: passthrough.prefault({}),
  aggregate: aggregate.prefault({}),
  policy: policy.prefault({}),
  limits,
  forwardAuth: forwardAuth.prefault({}),
  cluster: cluster.prefault({}),
  doors: doors.prefault({}),
  admin: admin.prefault({}),
  audit: audit.prefault({}),
  log: log.prefault({}),
  metrics: metrics.prefault({}),
})
export type ConfigInput = z.input<typeof Config>

/** The parsed configuration with what the loader settles: the public URL is always there, paths are absolute. */
export type Config = Omit<z.output<typeof Config>, 'server'> & {
  readonly server: Omit<z.output<typeof server>, 'url' | 'allowedOrigins'> & {
    readonly url: string
    readonly allowedOrigins: readonly string[] | 'loopback'
  }
}
