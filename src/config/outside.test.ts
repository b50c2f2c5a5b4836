// Which files and variables a configuration depends on, each with the setting that names it.
import { expect, it } from 'vitest'
import { outsideOf } from './outside.ts'
import { Config, type ConfigInput } from './schema.ts'

const named = (config: ConfigInput) =>
  outsideOf(Config.parse(config) as Parameters<typeof outsideOf>[0]).map(
    ({ path, kind, name }) => `${path.join('.')} ${kind} ${name}`,
  )
const server = (own: object) => ({ servers: [{ id: 'a', url: 'https://a.example/mcp', ...own }] }) as ConfigInput

it.each<[string, ConfigInput, readonly string[]]>([
  ['nothing', {}, []],
  [
    'TLS of our own',
    { server: { tls: { cert: '/c', key: '/k', clientCa: '/a', crl: '/r' } } },
    ['server.tls.cert file /c', 'server.tls.key file /k', 'server.tls.clientCa file /a', 'server.tls.crl file /r'],
  ],
  ['TLS of a server', server({ tls: { ca: '/a', serverName: 'b' } }), ['servers.0.tls.ca file /a']],
  [
    'headers, but for what is written and what is in our vault',
    server({
      credentials: { type: 'headers', headers: { A: 'a', B: { file: '/b' }, C: { env: 'C' }, D: { vault: 'd' } } },
    }),
    ['servers.0.credentials.headers.B.file value /b', 'servers.0.credentials.headers.C.env variable C'],
  ],
  [
    'a parameter',
    server({ credentials: { type: 'query', parameter: 'k', value: { file: '/k' } } }),
    ['servers.0.credentials.value.file value /k'],
  ],
  [
    'a token for HashiCorp Vault',
    server({
      credentials: {
        type: 'vault',
        url: 'https://v.example',
        login: { tokenFile: '/t' },
        path: 'secret/{subject}',
        field: 'f',
      },
    }),
    ['servers.0.credentials.login.tokenFile file /t'],
  ],
  ['keys of the vault', { vault: { keys: [{ id: 'one', type: 'file', path: '/k' }] } }, ['vault.keys.0.path file /k']],
  [
    'keys of another issuer',
    { auth: { issuers: [{ issuer: 'https://i.example', audience: 'a', jwksFile: '/j' }] } },
    ['auth.issuers.0.jwksFile file /j'],
  ],
])('of %s', (_, config, found) => {
  expect(named(config)).toEqual(found)
})
