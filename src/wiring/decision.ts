// The decision door, on the ground of the gateway: the callers of the MCP door, its rules and its reading of messages; the pages of the
// OAuth door for people.
import { ingressesOf } from '../config/ingresses.ts'
import { browsers } from '../decision/browser.ts'
import { type Check, type CheckNeeds, checker } from '../decision/check.ts'
import { type DecisionDoor, decisionDoor } from '../decision/door.ts'
import { readEnvoy } from '../decision/envoy/http.ts'
import { CHECK_METHOD, envoyService } from '../decision/envoy/service.ts'
import { forwardAuth } from '../decision/forward-auth.ts'
import { handOff } from '../decision/hand-off.ts'
import { permits } from '../decision/permit.ts'
import { sessionCookies } from '../decision/session-cookie.ts'
import { signInEndpoint } from '../decision/sign-in.ts'
import type { Exchange } from '../http/exchange.ts'
import type { GrpcMethods } from '../http/grpc-calls.ts'
import { countedRecorder, measured } from '../http/observed.ts'
import { publicDocument } from '../http/public-document.ts'
import { requestIds } from '../http/request-id.ts'
import { trustedProxies } from '../http/trusted-proxy.ts'
import { sessionCaller } from '../identity/browser-session.ts'
import { forwardedCalls } from '../mcp/forwarded.ts'
import { forPeople } from '../oauth/interaction/endpoints.ts'
import { rarely } from '../observe/rarely.ts'
import { assertionMinter } from '../tokens/assertion.ts'
import { publicKeySet } from '../tokens/key-set.ts'
import { openAuthZen } from './authzen.ts'
import type { Callers } from './callers.ts'
import type { Ground } from './ground.ts'
import type { McpDoor } from './mcp.ts'
import type { OAuthDoor } from './oauth.ts'

const TOLD = { every: 60_000, most: 20 }

export interface OpenDecisionDoor extends DecisionDoor {
  /** Of the listener that is Envoy's alone. */
  readonly grpc: GrpcMethods
}

export function openDecisionDoor(
  ground: Ground,
  callers: Callers,
  { findAccount }: OAuthDoor,
  { definitionOf }: Pick<McpDoor, 'definitionOf'>,
): OpenDecisionDoor {
  const { config, clock, log, keyring, metrics, places, recorder, store } = ground
  const { server, forwardAuth: settings, auth, doors } = config
  const { sealKeys } = keyring
  const serverUrl = server.url
  const { mayBePlain } = places
  const bearerField = auth.header.toLowerCase()
  const ingresses = trustedProxies(ingressesOf(config), server.listen)
  const isIngress = ({ req }: Exchange) => ingresses.isTrusted(req.socket)
  const isTime = rarely({ ...TOLD, clock })
  const handingOff = handOff({ tickets: store.ephemeral.tickets, sealKeys, clock })
  const cookies = sessionCookies({ sealKeys, clock, name: settings.cookieName, ttl: settings.sessionTtl })
  const check = openCheck(ground, callers, {
    browsers: browsers({ cookies, handOff: handingOff, serverUrl }),
    bearerField,
    definitionOf,
  })
  const signIn = signInEndpoint({
    serverUrl,
    resources: places,
    handOff: handingOff,
    findAccount,
    findAttributes: callers.attributes.find,
  })
  const asking = forwardAuth({
    check,
    isIngress,
    mayBePlain,
    isOwnCookie: cookies.isOne,
    limits: server.limits,
    log,
    isTime,
  })
  const serveEnvoy = envoyService({
    check,
    ingresses: trustedProxies(ingressesOf(config), settings.grpc ?? ''),
    mayBePlain,
    bearerField,
    isOwnCookie: cookies.isOne,
    limits: server.limits,
    nextId: requestIds(),
    onAnswered: (status, seconds) => metrics.request('decision', status, seconds),
    clock,
    log,
    isTime,
  })
  const door = decisionDoor({
    forwardAuth: asking,
    envoy: asking.fromIngress((exchange) => readEnvoy(exchange, { mayBePlain, bearerField })),
    authZen: openAuthZen(ground, callers, definitionOf),
    isIngress,
    path: settings.path,
    resources: places,
    serverUrl,
    keys: publicDocument(() => publicKeySet(keyring.signingKeys())),
    signIn: doors.oauth ? forPeople(signIn, { serverUrl, recorder, log }) : undefined,
  })
  return { ...door, grpc: new Map([[CHECK_METHOD, serveEnvoy]]) }
}

type Known = Pick<CheckNeeds, 'browsers' | 'bearerField'> & Pick<McpDoor, 'definitionOf'>

function openCheck(ground: Ground, callers: Callers, { definitionOf, ...shown }: Known): Check {
  const { config, clock, limits, log, keyring, metrics, minimumRevision, policy, places, revocations, scopes } = ground
  const { server, doors } = config
  return checker({
    ...shown,
    clock,
    serverUrl: server.url,
    resources: places,
    authenticate: measured(metrics, callers.authenticate),
    callerOf: sessionCaller({ attributes: callers.attributes, isRevoked: revocations.isRevoked }),
    signIn: doors.oauth,
    permit: permits({
      policy,
      checkScopes: scopes.checkScopes,
      // What revision a message speaks is seen where it is looked at.
      tellsCallsApart: (principal, id) => minimumRevision(id) !== undefined || scopes.tellsCallsApart(principal, id),
      mintAssertion: assertionMinter({ keyring, issuer: server.url, clock }),
      onOmitted: ({ subject }, fields) =>
        log.warn({ subject, fields }, 'too long for a header field, and sent empty: name fewer of them'),
      clock,
    }),
    judgeCall: forwardedCalls({
      policy,
      checkScopes: scopes.checkScopes,
      admit: limits.admit,
      minimumRevision,
      definitionOf,
      limits: server.limits,
    }),
    denials: config.policy.denials,
    recorder: countedRecorder(metrics, ground.recorder),
  })
}
