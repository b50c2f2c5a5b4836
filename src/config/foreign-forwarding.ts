// Portkey's `user_identity_forwarding` and `forward_headers`, ContextForge's `identity_propagation` and `passthrough_headers`, at a server or
// for all of them, made into ours. What of them would be ignored is refused.
import { IDENTITY_ATTRIBUTES } from '../protocol/identity-headers.ts'
import { type Input, isTree, type Tree } from './input.ts'
import { pathText } from './origins.ts'
import { type Problem, placeOf } from './problems.ts'
import { ITS_WORDS } from './seed-forwarding.ts'
import type { Path } from './settings.ts'

type Refuse = (key: Path, message: string) => undefined

/** Rewrites the file in place, its servers being a list by now; answers what cannot be read. */
export function translateForwarding(input: Input): Problem[] {
  const problems: Problem[] = []
  const refuseAt =
    (path: Path): Refuse =>
    (key, message) => {
      const at = [...path, ...key]
      problems.push({ place: placeOf(input.find(at)), setting: pathText(at), message })
      return undefined
    }
  const servers = input.get(['servers'])
  if (Array.isArray(servers))
    servers.forEach((server: unknown, index) => {
      if (isTree(server)) translateServer(server, refuseAt(['servers', index]))
    })
  translateGeneral(input, refuseAt([]))
  return problems
}

function translateServer(server: Tree, refuse: Refuse): void {
  const identity = identityIn(server, refuse)
  const list = listIn(server, refuse)
  set(server, 'identity', identity, refuse)
  set(server, 'passthroughHeaders', list, refuse)
}

function translateGeneral(input: Input, refuse: Refuse): void {
  const general = Object.fromEntries(
    KEYS.filter((key) => Object.hasOwn(input.tree, key)).map((key) => [key, input.take(key)]),
  )
  const origin = (keys: readonly string[]) => input.find([keys.find((key) => Object.hasOwn(general, key)) ?? ''])
  const places = { identity: origin(IDENTITY_KEYS), list: origin(LIST_KEYS) }
  const [identity, list] = [identityIn(general, refuse), listIn(general, refuse)]
  if (identity !== undefined && input.get(['identityForwarding']) !== undefined)
    refuse(['identityForwarding'], 'It says the same as the other system’s key: keep only one of them.')
  else if (identity !== undefined) input.set(['identityForwarding'], identity, places.identity)
  if (list !== undefined && input.get(['passthrough', 'headers']) !== undefined)
    refuse(['passthrough', 'headers'], 'It says the same as the other system’s key: keep only one of them.')
  else if (list !== undefined) input.set(['passthrough', 'headers'], list, places.list)
}

const IDENTITY_KEYS = ['user_identity_forwarding', 'identity_propagation'] as const
const LIST_KEYS = ['forward_headers', 'passthrough_headers'] as const
const KEYS = [...IDENTITY_KEYS, ...LIST_KEYS]

function set(server: Tree, key: string, value: unknown, refuse: Refuse): void {
  if (value === undefined) return
  if (server[key] !== undefined) refuse([key], 'It says the same as the other system’s key: keep only one of them.')
  else server[key] = value
}

function take(tree: Tree, key: string): unknown {
  const value = tree[key]
  delete tree[key]
  return value
}

function identityIn(tree: Tree, refuse: Refuse): Tree | undefined {
  const [portkey, forge] = IDENTITY_KEYS.map((key) => take(tree, key))
  if (portkey !== undefined && forge !== undefined)
    return refuse(['identity_propagation'], 'It says the same as user_identity_forwarding: keep only one of them.')
  if (portkey !== undefined) return portkeyIdentity(portkey, refuse)
  return forge === undefined ? undefined : forgeIdentity(forge, refuse)
}

const METHODS: Readonly<Record<string, Tree>> = {
  claims_header: { form: 'portkey', headers: true, jwt: false },
  jwt_header: { form: 'portkey', headers: false, jwt: true },
}

const CLAIMS: Readonly<Record<string, string>> = {
  sub: 'id',
  user_id: 'id',
  username: 'user',
  email: 'email',
  name: 'name',
  groups: 'groups',
  roles: 'roles',
  workspace_id: 'teams',
  organisation_id: 'organisation',
  scope: 'scopes',
  client_id: 'client',
}

function portkeyIdentity(value: unknown, refuse: Refuse): Tree | undefined {
  const at = 'user_identity_forwarding'
  if (!isTree(value)) return refuse([at], 'Write { method, include_claims }.')
  const { method, include_claims: claims, jwt_expiry_seconds: expiry, ...others } = value
  const [other] = Object.keys(others)
  if (other !== undefined) return refuse([at, other], 'There is no such setting: known are method and include_claims.')
  if (expiry !== undefined)
    return refuse(
      [at, 'jwt_expiry_seconds'],
      'An assertion is for 60 seconds, and a new one comes in time: take it out.',
    )
  if (method === 'bearer')
    return refuse(
      [at, 'method'],
      'The token a caller came with goes to no server. Write credentials: { type: token-exchange } or { type: caller } for this server.',
    )
  const way = METHODS[String(method)]
  if (way === undefined) return refuse([at, 'method'], 'Write claims_header or jwt_header.')
  const attributes = attributesOf(claims, CLAIMS, (message) => refuse([at, 'include_claims'], message))
  return attributes === undefined ? { ...way } : { ...way, attributes }
}

function forgeIdentity(value: unknown, refuse: Refuse): Tree | undefined {
  const at = 'identity_propagation'
  if (!isTree(value)) return refuse([at], 'Write { enabled, mode, headers_prefix, sign_claims, allowed_attributes }.')
  const {
    enabled,
    mode = 'both',
    headers_prefix: prefix,
    sign_claims: sign,
    allowed_attributes: allowed,
    ...others
  } = value
  const [other] = Object.keys(others)
  if (other !== undefined) return refuse([at, other], 'There is no such setting.')
  if (enabled === false) return { headers: false, jwt: false, meta: false }
  if (mode !== 'headers' && mode !== 'meta' && mode !== 'both')
    return refuse([at, 'mode'], 'Write headers, meta or both.')
  const attributes = attributesOf(allowed, FORGE_WORDS, (message) => refuse([at, 'allowed_attributes'], message))
  return {
    form: 'contextforge',
    headers: mode !== 'meta',
    meta: mode !== 'headers',
    ...(prefix !== undefined && { headerPrefix: prefix }),
    ...(sign !== undefined && { jwt: sign }),
    ...(attributes !== undefined && { attributes }),
  }
}

const FORGE_WORDS = Object.fromEntries(Object.entries(ITS_WORDS).map(([word, [attribute]]) => [word, attribute ?? '']))

/** In our order, each once. */
function attributesOf(
  names: unknown,
  words: Readonly<Record<string, string>>,
  refuse: (message: string) => undefined,
): readonly string[] | undefined {
  if (names === undefined) return undefined
  if (!Array.isArray(names)) return refuse('Write a list.')
  const unknown = names.find((name) => !Object.hasOwn(words, String(name)))
  if (unknown !== undefined)
    return refuse(`${String(unknown)} is not told here: known are ${Object.keys(words).join(', ')}.`)
  const told = new Set(names.map((name) => words[String(name)]))
  return IDENTITY_ATTRIBUTES.filter((attribute) => told.has(attribute))
}

type List = readonly unknown[] | { readonly allExcept: readonly unknown[] }

function listIn(tree: Tree, refuse: Refuse): List | undefined {
  const lists = LIST_KEYS.flatMap((key) => {
    const value = take(tree, key)
    const list = value === undefined ? undefined : listOf(value, key, refuse)
    return list === undefined ? [] : [list]
  })
  const [first, second] = lists
  if (first === undefined || second === undefined) return first
  if (Array.isArray(first) && Array.isArray(second)) return [...first, ...second]
  return refuse(['passthrough_headers'], 'forward_headers lets through all but some: keep only one of them.')
}

function listOf(value: unknown, key: string, refuse: Refuse): List | undefined {
  if (Array.isArray(value)) return value
  if (!isTree(value) || !Array.isArray(value['headers']))
    return refuse([key], 'Write a list of names, or { mode: allowlist | all-except, headers: [ … ] }.')
  const { mode = 'allowlist', headers } = value
  if (mode === 'allowlist') return headers
  if (mode === 'all-except') return { allExcept: headers }
  return refuse([key, 'mode'], 'Write allowlist or all-except.')
}
