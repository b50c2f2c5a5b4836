// The decision door: its addresses, by exact match. An address that is not here does not exist.
import type { Endpoint, Exchange } from '../http/exchange.ts'
import { SIGN_IN_PATH } from '../protocol/sign-in-client.ts'
import { documentEndpoint } from './documents.ts'
import { isEnvoyPath } from './envoy/http.ts'
import type { ForwardAuth } from './forward-auth.ts'
import { namesOriginal } from './ingress.ts'
import { checkOriginal } from './original.ts'
import { DOCUMENTS, type ProtectedResources } from './protected.ts'

interface Needs {
  readonly forwardAuth: ForwardAuth
  /** ext_authz over HTTP, at every path below its own. */
  readonly envoy: Endpoint
  readonly authZen: (path: string) => Endpoint | undefined
  isIngress(exchange: Exchange): boolean
  /** A second address of the check. */
  readonly path: string | undefined
  readonly resources: ProtectedResources
  readonly serverUrl: string
  /** What assertions are checked against; also where no authorization server is open. */
  readonly keys: Endpoint
  /** Where there are sign-in pages. */
  readonly signIn: Endpoint | undefined
}

export interface DecisionDoor {
  match(path: string, exchange: Exchange): Endpoint | undefined
  /** Where no other door has this path: the check of the very address that was called, as a person with curl would try it. */
  last(path: string): Endpoint | undefined
}

const FORWARD_AUTH_PATH = '/auth'
const KEYS_PATH = '/.well-known/jwks.json'

export function decisionDoor(needs: Needs): DecisionDoor {
  const { forwardAuth, isIngress, resources, serverUrl, signIn } = needs
  const [scheme, host = ''] = serverUrl.split('://')
  const itself = forwardAuth.about(({ req, path, query }) =>
    checkOriginal(
      { method: req.method ?? '', scheme, host, target: query === '' ? path : `${path}?${query}` },
      resources.mayBePlain,
    ),
  )
  return {
    match(path, exchange) {
      if (path === FORWARD_AUTH_PATH) return forwardAuth.ofIngress
      if (isEnvoyPath(path)) return needs.envoy
      // The same path is a door for MCP clients: an ingress is told by its place and by its fields.
      if (path === needs.path && isIngress(exchange) && namesOriginal(exchange.req)) return forwardAuth.ofIngress
      if (path === SIGN_IN_PATH) return signIn
      if (path === KEYS_PATH) return needs.keys
      if (path.startsWith(DOCUMENTS)) return documentEndpoint({ resources, serverUrl }, path)
      return needs.authZen(path)
    },
    last: (path) => (path === needs.path ? itself : undefined),
  }
}
