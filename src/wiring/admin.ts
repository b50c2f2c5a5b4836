// The administration's door, on the ground of the gateway.
import { adminDoor } from '../admin/door.ts'
import { isOpenHere, localAdministrator } from '../config/admin.ts'
import type { Endpoint } from '../http/exchange.ts'
import { logRefusal } from '../http/observed.ts'
import { authenticator } from '../identity/authenticate.ts'
import { basicVerifier } from '../identity/basic-administrator.ts'
import { ownTokens } from '../identity/own-token.ts'
import { ADMIN_PATH } from '../protocol/resource.ts'
import type { Callers } from './callers.ts'
import type { Ground } from './ground.ts'
import type { ConnectionChanged } from './portal.ts'
import { openCredentials } from './ways.ts'

export function openAdminDoor(
  ground: Ground,
  callers: Callers,
  onConnectionChanged: ConnectionChanged,
): (path: string) => Endpoint | undefined {
  const { config, store, clock, log, recorder, tokens } = ground
  const { server, admin, auth } = config
  const { attributes, apiTokens } = callers
  const own = ownTokens({ recall: tokens.recall, verify: tokens.verify, attributes })
  const authenticate = authenticator({
    header: auth.header.toLowerCase(),
    recall: own.recall,
    tokens: [apiTokens.way, own.way],
    apiTokens: apiTokens.way,
    transports: [],
    anonymous: false,
    explainNobody: () => 'no_credential',
  })
  const wanted = { server: undefined, resources: [server.url + ADMIN_PATH] }
  const administrator = localAdministrator(admin)
  return adminDoor({
    serverUrl: server.url,
    readCredentials: openCredentials(ground),
    authenticate: (credentials) => authenticate(credentials, wanted),
    verifyBasic: administrator && basicVerifier({ administrator, counters: store.ephemeral.counters, clock }),
    findUser: (id) => store.durable.users.find(id),
    openHere: isOpenHere(admin, server),
    life: apiTokens.life,
    connections: ground.connections,
    sees: (principal, id) => ground.policy.view(principal, id) !== 'none',
    onConnectionChanged,
    recorder,
    clock,
    log,
    bodyTimeout: server.limits.bodyTimeout,
    onRefusal: (exchange, answer, error) => logRefusal(log, exchange, answer, error),
  })
}
