// Server entries as others write them: called by a name alone (ContextForge, Kuadrant), and with `auth_mode`, `proxy_header` and
// `jwt_audience` of ContextForge's documentation, made into `auth`.
import { type Input, isTree, type Tree } from './input.ts'
import { type Problem, placeOf } from './problems.ts'

const KEYS = ['auth_mode', 'proxy_header', 'jwt_audience'] as const

/** Rewrites the entries in place; answers what cannot be read. */
export function translateServers(input: Input): Problem[] {
  const servers = input.get(['servers'])
  if (!Array.isArray(servers)) return []
  return servers.flatMap((server: unknown, index) => {
    if (!isTree(server)) return []
    identify(server)
    return translate(server, index, input)
  })
}

/** `mcp-test/server1` is no part of an address. */
export const idOf = (name: string): string => name.toLowerCase().replace(/[^a-z0-9_-]/g, '_')

function identify(server: Tree): void {
  const { id, name } = server
  if (id === undefined && typeof name === 'string') server['id'] = idOf(name)
}

function translate(server: Tree, index: number, input: Input): Problem[] {
  const given = KEYS.filter((key) => Object.hasOwn(server, key))
  const [first] = given
  if (first === undefined) return []
  const { auth_mode: mode, proxy_header: header, jwt_audience: audience } = server
  const refused = (key: string, message: string): Problem[] => {
    const path = ['servers', index, key]
    return [{ place: placeOf(input.find(path)), setting: `servers[${index}].${key}`, message }]
  }
  for (const key of given) delete server[key]
  if (Object.hasOwn(server, 'auth'))
    return refused(first, 'This server has `auth`, which says the same: keep only that.')
  switch (mode) {
    case 'proxy':
      if (audience !== undefined) return refused('jwt_audience', 'No token is taken with auth_mode: proxy.')
      server['auth'] = { tokens: false, issuers: [], mtls: false, proxy: proxyOf(header) }
      return []
    case 'jwt':
      if (header !== undefined) return refused('proxy_header', 'No proxy is believed with auth_mode: jwt.')
      server['auth'] = { proxy: false, mtls: false, ...(audience !== undefined && { audience }) }
      return []
    case undefined:
      return refused(first, 'Write auth_mode: proxy or auth_mode: jwt beside it.')
    default:
      return refused('auth_mode', 'There is no such mode: write proxy or jwt.')
  }
}

/** Without a header of its own the server believes what the others believe. */
const proxyOf = (header: unknown): unknown => (header === undefined ? true : { userHeader: header })
