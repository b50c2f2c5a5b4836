// The files of `servers[].tls`: whom a server is trusted by, and as whom we come to it.
import type { RemoteServerConfig } from '../config/servers.ts'
import { checkUsable, type NamedFile, readAuthorities, readPair } from './pem-files.ts'

export interface ClientTlsFiles {
  readonly ca?: readonly string[]
  readonly cert?: string
  readonly key?: string
}

/** Throws OperatorError with the setting, the file and the cure. */
export function readClientTlsFiles({ id, tls = {} }: Pick<RemoteServerConfig, 'id' | 'tls'>): ClientTlsFiles {
  const named = (key: 'ca' | 'cert' | 'key'): NamedFile => ({
    path: tls[key] ?? '',
    setting: `servers ${id}: tls.${key}`,
  })
  const files = {
    ...(tls.ca !== undefined && { ca: readAuthorities(named('ca')) }),
    ...(tls.cert !== undefined && readPair(named('cert'), named('key'))),
  }
  checkUsable(named(tls.cert === undefined ? 'ca' : 'cert'), files)
  return files
}
