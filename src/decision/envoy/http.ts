// Envoy's ext_authz filter over HTTP: it asks with the caller's own request, its path behind a prefix (`path_prefix`) and its Host as it
// was. Istio's `envoyExtAuthzHttp` is the same.
import type { Exchange } from '../../http/exchange.ts'
import { checkOriginal, type Original } from '../original.ts'
import { checkOneCredential } from './joined.ts'

const PREFIX = '/authz/envoy'

/** The paths it asks at: those of callers begin with a slash. */
export const isEnvoyPath = (path: string): boolean => path.startsWith(`${PREFIX}/`)

interface Needs {
  mayBePlain(host: string): boolean
  readonly bearerField: string
}

/** Only for a peer whose word counts. Throws RequestError 400, BearerError `invalid_request`. */
export function readEnvoy({ req, path, query }: Exchange, { mayBePlain, bearerField }: Needs): Original {
  const { method = '', headers } = req
  checkOneCredential(headers, bearerField)
  const scheme = headers['x-forwarded-proto']
  const said = {
    method,
    scheme: typeof scheme === 'string' ? scheme : undefined,
    host: headers.host ?? '',
    target: path.slice(PREFIX.length) + (query === '' ? '' : `?${query}`),
  }
  return checkOriginal(said, mayBePlain)
}
