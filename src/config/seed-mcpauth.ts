// What mcpauth's variables say, and what they leave unsaid: its check stands in front of the hosts beside its own.
import { isIP } from 'node:net'
import { isRecord } from '../protocol/json.ts'
import { type Input, isTree } from './input.ts'
import type { Origin } from './origins.ts'
import { BadValue } from './seed-values.ts'

/** Where mcpauth checks when PROTECTED_PATH is not set. */
export const MCPAUTH_PATH = '/sse'

export function parsePath(text: string): string {
  const path = text.trim()
  if (!path.startsWith('/')) throw new BadValue('Write a path with its slash, such as /sse.')
  return path
}

/** Its browser sign-in, which ours is: on, browsers are sent to the sign-in; off, everybody gets the 401. */
export const edgeSignIn = (isOn: boolean): 'auto' | 'challenge' => (isOn ? 'auto' : 'challenge')

const CLIENT_FORM = 'Write a JSON list of clients: [{"client_id": …, "client_secret": …, "redirect_uris": [ … ]}].'

export function parseClients(text: string): unknown {
  const list = readJson(text)
  if (!Array.isArray(list)) throw new BadValue(CLIENT_FORM)
  return list.map((entry: unknown) => {
    if (!isRecord(entry) || typeof entry['client_id'] !== 'string') throw new BadValue(CLIENT_FORM)
    const { client_id: clientId, client_secret: clientSecret, client_name: name, redirect_uris: redirectUris } = entry
    return {
      clientId,
      ...(clientSecret !== undefined && { clientSecret }),
      ...(name !== undefined && name !== '' && { name }),
      redirectUris,
    }
  })
}

/** Scopes of a client are no list of ours: a person allows them, within oauth.allowedScopes. */
export const warnOfClientScopes = (text: string): string | undefined =>
  /"scopes"\s*:/.test(text)
    ? 'MCPAUTH_BOOTSTRAP_CLIENTS: `scopes` of a client are ignored; a client asks for scopes, within oauth.allowedScopes.'
    : undefined

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new BadValue(CLIENT_FORM)
  }
}

/**
 * `oauth.example.com` protects the hosts of `example.com`: said as a setting, so that `config print` shows it. Only where the
 * configuration names no host of its own.
 */
export function placeProtectedHosts(domain: string, origin: Origin, input: Input): void {
  const path = ['forwardAuth', 'resources']
  const servers = input.get(['servers'])
  const named = Array.isArray(servers) && servers.some((server) => isTree(server) && server['publicUrl'] !== undefined)
  const before = input.get(path)
  const host = hostsBeside(domain)
  const isOurs = before === undefined || ['seed', 'flag'].includes(input.find(path).kind)
  if (named || host === undefined || !isOurs) return
  // mcpauth answers at its own address as well, as the curl cases of its documentation try it.
  const beside = `.${domain}`.endsWith(host.slice(1)) && domain.split('.').length === host.split('.').length
  input.set(path, beside ? [{ host }] : [{ host }, { host: domain }], origin)
}

/** One label up; not where that is a registry's name or somebody's platform with many tenants, as far as its form tells. */
export function hostsBeside(domain: string): string | undefined {
  const host = domain.replace(/:\d+$/, '')
  if (isIP(host) !== 0) return undefined
  const labels = host.split('.')
  const [, above = '', top = ''] = labels
  const isRegistry = labels.length === 3 && top.length === 2 && above.length <= 3
  return labels.length > 2 && !isRegistry ? `*.${labels.slice(1).join('.')}` : `*.${host}`
}
