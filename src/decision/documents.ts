// Protected resource documents (RFC 9728) of hosts that are not ours: at an address of ours that carries the host in its own path, and
// as the answer to an ingress that asks about a host's own `/.well-known/` address.

import type { Endpoint } from '../http/exchange.ts'
import { publicDocument } from '../http/public-document.ts'
import { RequestError } from '../protocol/errors.ts'
import {
  PROTECTED_RESOURCE_PATH,
  type ProtectedResourceMetadata,
  protectedResourceMetadata,
} from '../protocol/protected-resource.ts'
import { checkPath, originOf } from './original.ts'
import { DOCUMENTS, type Place, type ProtectedResources } from './protected.ts'

interface Needs {
  readonly resources: Pick<ProtectedResources, 'find' | 'mayBePlain'>
  readonly serverUrl: string
}

/** Of the resource whose document would stand at this address of its own host. `undefined` where nothing is protected. */
export function findDocument(needs: Needs, { scheme, host, path }: Place): ProtectedResourceMetadata | undefined {
  return documentOf(needs, { scheme, host, path: path.slice(PROTECTED_RESOURCE_PATH.length) || '/' })
}

/** `resource` is the address that the client used, wherever below the resource it lies (RFC 9728 §3.3). */
function documentOf({ resources, serverUrl }: Needs, place: Place): ProtectedResourceMetadata | undefined {
  const found = resources.find(place)
  if (found === undefined) return undefined
  const url = `${originOf(place)}${place.path === '/' ? '' : place.path}`
  return protectedResourceMetadata({ ...found.resource, url }, serverUrl)
}

/** `/.well-known/oauth-protected-resource/auth/{host}{path}`. */
export function documentEndpoint(needs: Needs, address: string): Endpoint {
  return (exchange) => {
    const [, host = '', path = '/'] = /^([^/]+)(\/.*)?$/.exec(address.slice(DOCUMENTS.length)) ?? []
    const plain = needs.serverUrl.startsWith('http:') && needs.resources.mayBePlain(host)
    const document = documentOf(needs, { scheme: plain ? 'http' : 'https', host, path: checkPath(path) })
    if (document === undefined) throw new RequestError(404, 'unknown_resource', 'There is nothing at this address.')
    return publicDocument(() => document)(exchange)
  }
}
