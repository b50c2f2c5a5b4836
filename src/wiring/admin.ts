// The administration's door, on the ground of the gateway.
import { adminDoor } from '../admin/door.ts'
import { isOpenHere, localAdministrator } from '../config/admin.ts'
import type { Endpoint } from '../http/exchange.ts'
import { logRefusal } from '../http/observed.ts'
import { basicVerifier } from '../identity/basic-administrator.ts'
import { ADMIN_PATH } from '../protocol/resource.ts'
import type { Callers } from './callers.ts'
import type { Ground } from './ground.ts'
import type { ConnectionChanged } from './portal.ts'
import { openCredentials, openOwnTokens } from './ways.ts'

export function openAdminDoor(
  ground: Ground,
  callers: Callers,
  onConnectionChanged: ConnectionChanged,
): (path: string) => Endpoint | undefined {
  const { config, store, clock, log, recorder } = ground
  const { server, admin } = config
  const administrator = localAdministrator(admin)
  return adminDoor({
    serverUrl: server.url,
    readCredentials: openCredentials(ground),
    authenticate: openOwnTokens(ground, callers, server.url + ADMIN_PATH),
    verifyBasic: administrator && basicVerifier({ administrator, counters: store.ephemeral.counters, clock }),
    findUser: (id) => store.durable.users.find(id),
    openHere: isOpenHere(admin, server),
    life: callers.apiTokens.life,
    connections: ground.connections,
    sees: (principal, id) => ground.policy.view(principal, id) !== 'none',
    onConnectionChanged,
    recorder,
    clock,
    bodyTimeout: server.limits.bodyTimeout,
    onRefusal: (exchange, answer, error) => logRefusal(log, exchange, answer, error),
  })
}
