// AuthZEN, on the ground of the gateway: services are known by our own tokens alone.

import { upstreamsOf } from '../config/servers.ts'
import { authZen } from '../decision/authzen/endpoint.ts'
import type { Endpoint } from '../http/exchange.ts'
import { countedRecorder, logRefusal } from '../http/observed.ts'
import { requestIds } from '../http/request-id.ts'
import { emailMatcher } from '../identity/admission.ts'
import { authenticator } from '../identity/authenticate.ts'
import { keptOf } from '../identity/kinds.ts'
import { findSubject } from '../identity/named-subject.ts'
import { ownTokens } from '../identity/own-token.ts'
import type { InformNeeds } from '../policy/informed.ts'
import { decisionResource } from '../protocol/resource.ts'
import type { Callers } from './callers.ts'
import type { Ground } from './ground.ts'
import { openCredentials } from './ways.ts'

export function openAuthZen(
  ground: Ground,
  callers: Callers,
  definitionOf: InformNeeds['definitionOf'],
): (path: string) => Endpoint | undefined {
  const { config, identity, store, clock, log, metrics, places, policy, recorder, tokens } = ground
  const { server, servers, auth } = config
  const { attributes, apiTokens, vouching } = callers
  const { users } = store.durable
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
  const wanted = { server: undefined, resources: [decisionResource(server.url).url] }
  // A view shows what is at home elsewhere, and its denials with it: whoever enforces asks about the thing itself.
  const ids = new Set(upstreamsOf(servers).map(({ id }) => id))
  return authZen({
    serverUrl: server.url,
    readCredentials: openCredentials(ground),
    authenticate: (credentials) => authenticate(credentials, wanted),
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
