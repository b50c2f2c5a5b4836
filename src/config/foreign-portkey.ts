// Portkey's `auth: { type, enabled }` and its servers by name, made into ours. What of them would be ignored is refused.
import { type Input, isTree, type Tree } from './input.ts'
import { type Problem, placeOf } from './problems.ts'

/** Open without a further setting: our tokens, API tokens under either header, the sign-in. */
const OPEN_WAYS = ['bearer', 'token', 'api-key', 'api_key', 'apikey', 'oauth', 'oauth2', 'oidc']

/** Rewrites the file in place; answers what cannot be read. */
export function translatePortkey(input: Input): Problem[] {
  return [...takeAuth(input), ...nameServers(input)]
}

function takeAuth(input: Input): Problem[] {
  const auth = input.get(['auth'])
  if (!isTree(auth)) return []
  const { type, enabled, tokens, mtls } = auth
  const refused = (key: string, message: string): Problem[] => [
    { place: placeOf(input.find(['auth', key])), setting: `auth.${key}`, message },
  ]
  delete auth['type']
  delete auth['enabled']
  if (enabled !== undefined && enabled !== true) return refused('enabled', 'Sign-in is always on: take it out.')
  if (type === undefined) return []
  if (type === 'mtls')
    return mtls === undefined ? refused('type', 'Write auth.mtls, and server.tls with its clientCa.') : []
  if (typeof type !== 'string' || !OPEN_WAYS.includes(type))
    return refused('type', `There is no such way: write one of ${OPEN_WAYS.join(', ')}, mtls.`)
  return tokens === false ? refused('type', 'auth.tokens says the opposite: keep only one of them.') : []
}

function nameServers(input: Input): Problem[] {
  const named = input.get(['servers'])
  if (!isTree(named)) return []
  const origin = input.find(['servers'])
  const problems: Problem[] = []
  const servers = Object.entries(named).map(([id, entry]) => {
    const refuse = (key: string, message: string): void => {
      const path = ['servers', id, ...(key === '' ? [] : key.split('.'))]
      problems.push({ place: placeOf(input.find(path)), setting: path.join('.'), message })
    }
    if (id.includes('/')) refuse('', `An id has no slash: write ${id.replaceAll('/', '_')}.`)
    return isTree(entry) ? serverOf(id, entry, refuse) : { id }
  })
  input.set(['servers'], servers, origin)
  return problems
}

function serverOf(id: string, entry: Tree, refuse: (key: string, message: string) => void): Tree {
  const { headers, auth_type: kind, oauth_metadata: client, transport, tools, ...ours } = entry
  if (kind !== undefined && kind !== 'none' && kind !== 'headers' && kind !== 'oauth_auto')
    refuse('auth_type', `${String(kind)} is none that is read here. Write servers[].credentials.`)
  if (client !== undefined && kind !== 'oauth_auto')
    refuse('oauth_metadata', 'It is for `auth_type: oauth_auto` alone.')
  if (transport !== undefined && transport !== 'http')
    refuse('transport', `${String(transport)} is not available in this version: only http is.`)
  if (tools !== undefined) refuse('tools', 'This cannot be ignored: other tools would be open. Write policy.rules.')
  if (kind === 'oauth_auto') return { id, ...ours, credentials: { type: 'oauth', ...clientOf(client, refuse) } }
  return { id, ...ours, ...(headers !== undefined && { credentials: { type: 'headers', headers } }) }
}

/** RFC 7591 §2, as far as somebody has to write it: the rest is the gate's to say. */
function clientOf(metadata: unknown, refuse: (key: string, message: string) => void): Tree {
  if (!isTree(metadata)) return {}
  const { client_id: clientId, client_secret: clientSecret, scope, ...others } = metadata
  for (const name of Object.keys(others))
    refuse(`oauth_metadata.${name}`, 'Only client_id, client_secret and scope are read: remove it.')
  return {
    ...(clientId !== undefined && { clientId }),
    ...(clientSecret !== undefined && { clientSecret }),
    ...(typeof scope === 'string' && { scopes: scope.split(' ').filter((one) => one !== '') }),
  }
}
