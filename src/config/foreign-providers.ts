// `providers` of an authorization server of Solace (`providers: { azure: { issuer, client_id, … } }`) made into identity.providers.
import { type Input, isTree, type Tree } from './input.ts'
import { type Problem, placeOf } from './problems.ts'

/** Kinds of ours by their names there; any other name is an OpenID provider like any other. */
const KINDS: Readonly<Record<string, string>> = {
  azure: 'entra',
  google: 'google',
  auth0: 'auth0',
  okta: 'okta',
  keycloak: 'keycloak',
}
const KEYS = ['issuer', 'client_id', 'client_secret', 'redirect_uri', 'scope']

/** Adds the providers behind those of the file; answers what cannot be read. */
export function translateProviders(input: Input): Problem[] {
  if (!Object.hasOwn(input.tree, 'providers')) return []
  const origin = input.find(['providers'])
  const given = input.take('providers')
  const place = placeOf(origin)
  if (!isTree(given))
    return [{ place, setting: 'providers', message: 'Write each provider under its name, or use identity.providers.' }]
  const problems: Problem[] = []
  const providers = Object.entries(given).map(([id, entry]) => {
    const refuse = (key: string, message: string): void => {
      const path = ['providers', id, key]
      problems.push({ place: placeOf(input.find(path)), setting: path.join('.'), message })
    }
    return providerOf(id, isTree(entry) ? entry : {}, refuse)
  })
  const before = input.get(['identity', 'providers'])
  input.set(['identity', 'providers'], [...(Array.isArray(before) ? before : []), ...providers], origin)
  return problems
}

function providerOf(id: string, entry: Tree, refuse: (key: string, message: string) => void): Tree {
  for (const key of Object.keys(entry))
    if (!KEYS.includes(key))
      refuse(key, `Only ${KEYS.join(', ')} are read here; write the provider as identity.providers.`)
  const { issuer, client_id: clientId, client_secret: clientSecret, redirect_uri: redirectUri, scope } = entry
  const callback = callbackOf(id, redirectUri)
  if (callback === undefined)
    refuse('redirect_uri', `Register /callback there, or /callback/${id}; other addresses are not answered here.`)
  return {
    id,
    type: KINDS[id] ?? 'oidc',
    issuer,
    clientId,
    ...(clientSecret !== undefined && { clientSecret }),
    ...(typeof scope === 'string' && { scopes: scope.split(' ').filter((word) => word !== '') }),
    ...(callback === '/callback' && { callback }),
  }
}

function callbackOf(id: string, redirectUri: unknown): string | undefined {
  const own = `/callback/${id}`
  if (redirectUri === undefined) return own
  const path = URL.parse(String(redirectUri))?.pathname
  return path === '/callback' || path === own ? path : undefined
}
