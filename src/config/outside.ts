// What a configuration names and does not hold: files with keys, certificates and secrets, and variables with credentials of servers.

import { isKeyText } from '../protocol/capability-key.ts'
import type { ValueSource } from './credentials.ts'
import type { Config } from './schema.ts'
import { isVirtual, type McpServerConfig } from './servers.ts'
import type { Path } from './settings.ts'

export interface Outside {
  readonly path: Path
  /** `value`: a file that is one as a whole. */
  readonly kind: 'file' | 'value' | 'variable'
  /** Of the file, as an absolute path; of the variable. */
  readonly name: string
}

type Judged = Pick<Config, 'server' | 'servers' | 'vault' | 'auth'>

/** Of a configuration that is settled. */
export const outsideOf = ({ server, servers, vault, auth }: Judged): Outside[] => [
  ...files(['server', 'tls'], server.tls, ['cert', 'key', 'clientCa', 'crl']),
  ...servers.flatMap(ofServer),
  ...vault.keys.flatMap((key, index) => files(['vault', 'keys', index], key, ['path', 'tokenFile'])),
  ...auth.issuers.flatMap((issuer, index) => files(['auth', 'issuers', index], issuer, ['jwksFile'])),
  ...(auth.capabilities?.publicKey === undefined || isKeyText(auth.capabilities.publicKey)
    ? []
    : files(['auth', 'capabilities'], auth.capabilities, ['publicKey'])),
]

function files(at: Path, section: object | undefined, keys: readonly string[]): Outside[] {
  const named = new Map<string, unknown>(Object.entries(section ?? {}))
  return keys.flatMap((key) => {
    const name = named.get(key)
    return typeof name === 'string' ? [{ path: [...at, key], kind: 'file' as const, name }] : []
  })
}

function ofServer(server: McpServerConfig, index: number): Outside[] {
  if (isVirtual(server)) return []
  const { credentials } = server
  const at = ['servers', index, 'credentials']
  const ofTls = 'url' in server ? files(['servers', index, 'tls'], server.tls, ['ca', 'cert', 'key']) : []
  switch (credentials.type) {
    case 'headers':
      return [
        ...ofTls,
        ...Object.entries(credentials.headers).flatMap(([name, value]) => sources([...at, 'headers', name], value)),
      ]
    case 'query':
      return [...ofTls, ...sources([...at, 'value'], credentials.value)]
    case 'vault':
      return [...ofTls, ...files([...at, 'login'], credentials.login, ['tokenFile'])]
    default:
      return ofTls
  }
}

/** Our own vault is behind the store, which is not opened for a look. */
function sources(path: Path, value: string | ValueSource): Outside[] {
  if (typeof value === 'string') return []
  const { file, env } = value
  return [
    ...(file === undefined ? [] : [{ path: [...path, 'file'], kind: 'value' as const, name: file }]),
    ...(env === undefined ? [] : [{ path: [...path, 'env'], kind: 'variable' as const, name: env }]),
  ]
}
