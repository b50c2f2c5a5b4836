// AuthZEN, on the ground of the gateway: services are known by our own tokens alone.
import { upstreamsOf } from '../config/servers.ts'
import { authZen } from '../decision/authzen/endpoint.ts'
import type { Endpoint } from '../http/exchange.ts'
import { countedRecorder, logRefusal } from '../http/observed.ts'
import { requestIds } from '../http/request-id.ts'
import { emailMatcher } from '../identity/admission.ts'
import { keptOf } from '../identity/kinds.ts'
import { findSubject } from '../identity/named-subject.ts'
import type { InformNeeds } from '../policy/informed.ts'
import { decisionResource } from '../protocol/resource.ts'
import type { Callers } from './callers.ts'
import type { Ground } from './ground.ts'
import { openCredentials, openOwnTokens } from './ways.ts'

export function openAuthZen(
  ground: Ground,
  callers: Callers,
  definitionOf: InformNeeds['definitionOf'],
): (path: string) => Endpoint | undefined {
  const { config, identity, store, clock, log, metrics, places, policy, recorder } = ground
  const { server, servers, auth } = config
  const { attributes, vouching } = callers
  const { users } = store.durable
  // A view shows what is at home elsewhere, and its denials with it: whoever enforces asks about the thing itself.
  const ids = new Set(upstreamsOf(servers).map(({ id }) => id))
  return authZen({
    serverUrl: server.url,
    readCredentials: openCredentials(ground),
    authenticate: openOwnTokens(ground, callers, decisionResource(server.url).url),
    isAdministrator: async (subject) => (await users.find(subject))?.administrator ?? false,
    findSubject: findSubject({
      users,
      attributes,
      admit: vouching.admit,
      isEmailAdmitted: emailMatcher(identity.allowedEmails),
      issuers: auth.issuers.map(({ issuer }) => issuer),
      kept: keptOf(undefined, identity),
    }),
    policy,
    definitionOf,
    admit: ground.limits.admit,
    isServer: (name) => ids.has(name) || places.hasHost(name),
    nextId: requestIds(),
    recorder: countedRecorder(metrics, recorder),
    clock,
    limits: server.limits,
    onRefusal: (exchange, answer, error) => logRefusal(log, exchange, answer, error),
  })
}
