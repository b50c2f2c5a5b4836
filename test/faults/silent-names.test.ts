// Names in the configuration that nobody answers for, of whoever vouches for callers (security.md R20): all of them are asked of the
// resolver itself, so that none waits for another, nor anything else for them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemNames } from '../../src/upstreams/network/names.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { signedBy, startIssuer, type TestIssuer } from '../support/issuer.ts'
import { listTools } from '../support/mcp.ts'
import { type NameServer, startNameServer } from '../support/name-server.ts'
import { createPerson } from '../support/person.ts'
import { until } from '../support/tls.ts'

const SILENT = Array.from({ length: 8 }, (_, at) => `silent-${at}.example`)

let names: NameServer
let issuer: TestIssuer
let gateway: TestGateway
const at = (host: string) => `http://${host}:${new URL(issuer.origin).port}`

beforeAll(async () => {
  ;[names, issuer] = await Promise.all([startNameServer(), startIssuer()])
  issuer.metadata = { issuer: at('issuer.example'), jwks_uri: `${at('issuer.example')}/jwks` }
  gateway = await startGateway({
    servers: [{ id: 'nowhere', url: 'http://127.0.0.1:9/mcp' }],
    auth: { issuers: ['issuer.example', ...SILENT].map((host) => ({ issuer: at(host) })) },
    identity: {
      providers: [
        { id: 'corp', type: 'oidc', title: 'Corp', issuer: at('idp.example'), clientId: 'a', clientSecret: 'b' },
      ],
    },
    resolve: systemNames({
      nameServers: [names.at],
      hostsFile: '/nowhere',
      resolvConf: '/nowhere',
      askSystem: async () => [],
    }),
  })
  for (const name of SILENT) names.point(name, 'silent')
  names.point('issuer.example', ['127.0.0.1'])
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([names?.close(), issuer?.close()])
})

async function knockFrom(host: string): Promise<number> {
  const now = Math.floor(gateway.clock.now() / 1000)
  const claims = {
    iss: at(host),
    sub: 'ann',
    client_id: 'c',
    aud: gateway.resource('nowhere'),
    iat: now,
    exp: now + 600,
  }
  return (await listTools(gateway.resource('nowhere'), signedBy(issuer.key, { typ: 'at+jwt' }, claims))).status
}

describe('R20: names that an administrator wrote', () => {
  it('issuers whose names are silent hold up nobody but who brings their tokens', async () => {
    let ended = 0
    const waiting = SILENT.map((host) => knockFrom(host).finally(() => (ended += 1)))
    await until(() => SILENT.every((host) => names.asked(host) > 0), 'all silent names are asked for')
    // Let in: nothing answers at the server that is called then.
    expect(await knockFrom('issuer.example')).toBe(502)
    expect(ended).toBe(0)
    expect(await Promise.all(waiting)).toEqual(SILENT.map(() => 503))
  })

  it('that of an identity provider is asked for there, too', async () => {
    names.point('idp.example', 'unknown')
    const user = createPerson({ username: 'ann', password: 'any', provider: /corp/i })
    await expect(gateway.signIn('nowhere', { user })).rejects.toThrow()
    expect(names.asked('idp.example')).toBeGreaterThan(0)
  })
})
