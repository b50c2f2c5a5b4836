// Who may administer, and the local administrator that the environment can name (BASIC_AUTH_* of ContextForge).
import { z } from 'zod'
import { isLoopback, parseListen } from './listen.ts'

export const admin = z.strictObject({
  required: z
    .boolean()
    .default(true)
    .describe('Ask for a sign-in at the administration. `false` is honoured on loopback only.'),
  user: z.string().min(1).optional().describe('Name of a local administrator, for as long as it is set.'),
  password: z.string().optional().meta({ secret: true, description: 'Password of that administrator.' }),
})
export type AdminConfig = z.output<typeof admin>

/** From other machines: the gate itself, or through whatever stands in front of a public name. */
export function isReachable({ listen, url }: { listen: string; url: string }): boolean {
  const host = parseListen(listen)?.host
  return (host !== undefined && !isLoopback(host)) || !isLoopback(new URL(url).hostname)
}

/** The local administrator, where there is one: its password is what makes it. */
export function localAdministrator({ user = 'admin', password = '' }: AdminConfig): Administrator | undefined {
  return password === '' ? undefined : { user, password }
}

export interface Administrator {
  readonly user: string
  readonly password: string
}

interface Reached {
  readonly listen: string
  readonly url: string
}

/** Nobody is asked for a sign-in where only this machine can knock. */
export const isOpenHere = ({ required }: Pick<AdminConfig, 'required'>, server: Reached): boolean =>
  !required && !isReachable(server)

export function adminWarnings({ admin, server }: { admin: Pick<AdminConfig, 'required'>; server: Reached }): string[] {
  if (admin.required) return []
  if (isOpenHere(admin, server))
    return ['admin.required is false (AUTH_REQUIRED): whoever can reach this gate from this machine administers it.']
  return [
    'admin.required is false (AUTH_REQUIRED) and means nothing here: the gate can be reached from other machines (server.listen, server.url), so that the administration asks for a sign-in.',
  ]
}
