// Who needs the first administrator's link: a gate with local accounts and their pages that has no administrator yet.
import type { IdentityConfig } from '../../config/identity.ts'
import type { Users } from '../../store/durable.ts'
import type { InteractionNeeds } from './needs.ts'
import { mintSetupLink } from './setup.ts'

interface Needs extends Pick<InteractionNeeds, 'tickets' | 'serverUrl' | 'clock'> {
  readonly users: Pick<Users, 'hasAdministrator'>
  readonly providers: IdentityConfig['providers']
  /** The pages are there to be opened. */
  readonly open: boolean
}

export async function findSetupLink({
  users,
  providers,
  open,
  tickets,
  serverUrl,
  clock,
}: Needs): Promise<string | undefined> {
  if (!open || !providers.some(({ type }) => type === 'local') || (await users.hasAdministrator())) return undefined
  return mintSetupLink({ tickets, serverUrl, now: clock() })
}
