// Of the credentials of servers: which files they name, and where they travel.
import type { CredentialsConfig, ValueSource } from './credentials.ts'
import type { McpServerConfig } from './servers.ts'
import { isVirtual } from './servers.ts'
import type { Path } from './settings.ts'

type Absolute = (path: Path, value: string) => string

/** With the files that they name as absolute paths. */
export function withCredentialPaths<Server extends McpServerConfig>(
  server: Server,
  index: number,
  absolute: Absolute,
): Server {
  if (isVirtual(server)) return server
  const at = ['servers', index, 'credentials']
  return { ...server, credentials: withPaths(server.credentials, (path, value) => absolute([...at, ...path], value)) }
}

function withPaths(credentials: CredentialsConfig, absolute: Absolute): CredentialsConfig {
  const source = (path: Path, value: string | ValueSource): string | ValueSource =>
    typeof value === 'string' || value.file === undefined
      ? value
      : { ...value, file: absolute([...path, 'file'], value.file) }
  switch (credentials.type) {
    case 'headers': {
      const headers = Object.entries(credentials.headers).map(([name, value]) => [
        name,
        source(['headers', name], value),
      ])
      return { ...credentials, headers: Object.fromEntries(headers) }
    }
    case 'query':
      return { ...credentials, value: source(['value'], credentials.value) }
    case 'vault': {
      const { login } = credentials
      if (!('tokenFile' in login)) return credentials
      return { ...credentials, login: { tokenFile: absolute(['login', 'tokenFile'], login.tokenFile) } }
    }
    default:
      return credentials
  }
}

/** Where client secrets, tokens of people and secrets of theirs are sent, and where they come from. */
export function credentialAddresses(servers: readonly McpServerConfig[]): { path: Path; url: string }[] {
  return servers.flatMap((server, index) => {
    if (isVirtual(server)) return []
    const { credentials } = server
    return (['issuer', 'tokenUrl', 'url'] as const).flatMap((key) => {
      const url = (credentials as { readonly [Key in typeof key]?: string | undefined })[key]
      return url === undefined ? [] : [{ path: ['servers', index, 'credentials', key], url }]
    })
  })
}
