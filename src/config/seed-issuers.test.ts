// Authorization servers that other systems' variables name: what becomes of them, and what is said of what cannot become anything.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const cwd = mkdtempSync(join(tmpdir(), 'portcullis-seed-issuers-'))
const resolveHost = async (host: string) => (host.endsWith('.sslip.io') ? ['127.0.0.1'] : ['192.0.2.1'])
const load = (env: Record<string, string>, file?: object) => {
  if (file === undefined) return loadConfig({ env, cwd, resolveHost })
  const config = join(cwd, 'from-a-file.json')
  writeFileSync(config, JSON.stringify(file))
  return loadConfig({ env, cwd, flags: { config }, resolveHost })
}
const told = (env: Record<string, string>) =>
  load(env).then(
    ({ warnings }) => warnings.join('\n'),
    (error: Error) => error.message,
  )

/** As the guide has them. */
const KUADRANT = {
  OAUTH_RESOURCE_NAME: 'MCP Server',
  OAUTH_RESOURCE: 'http://mcp.127-0-0-1.sslip.io:8001/mcp',
  OAUTH_AUTHORIZATION_SERVERS: 'http://keycloak.127-0-0-1.sslip.io:8002/realms/mcp',
  OAUTH_BEARER_METHODS_SUPPORTED: 'header',
  OAUTH_SCOPES_SUPPORTED: 'basic,groups,roles,profile',
}
const REALM = KUADRANT.OAUTH_AUTHORIZATION_SERVERS

describe('OAUTH_AUTHORIZATION_SERVERS', () => {
  it('makes each an issuer whose tokens count, names them to clients, and closes our own', async () => {
    const { config } = await load(KUADRANT)
    expect(config.auth.issuers).toEqual([expect.objectContaining({ issuer: REALM, type: 'keycloak' })])
    expect(config.oauth.authorizationServers).toEqual([REALM])
    expect(config.doors.oauth).toBe(false)
    expect(config.server.url).toBe('http://mcp.127-0-0-1.sslip.io:8001')
  })

  it('leaves what the configuration says of issuers and doors', async () => {
    const issuers = [{ issuer: REALM, type: 'generic', audience: 'api' }]
    const { config } = await load(KUADRANT, { auth: { issuers }, doors: { oauth: true } })
    expect(config.auth.issuers).toEqual([expect.objectContaining({ type: 'generic', audience: 'api' })])
    expect(config.doors.oauth).toBe(true)
  })

  it('says so when one of them is no issuer there', async () => {
    const { warnings } = await load(KUADRANT, { auth: { issuers: [{ issuer: `${REALM}x` }] } })
    expect(warnings.join('\n')).toMatch(/names .*\/realms\/mcp to clients, and its tokens do not count/)
  })

  it.each([
    ['https://acme.okta.com/oauth2/default', 'okta'],
    ['https://acme.eu.auth0.com/', 'auth0'],
    ['https://login.microsoftonline.com/8d5e6f0a-1b2c-4d3e-8f90-a1b2c3d4e5f6/v2.0', 'entra'],
    ['https://id.example.com/auth/realms/mcp', 'keycloak'],
    ['https://okta.com.example/oauth2', 'generic'],
  ])('%s is of type %s', async (issuer, type) => {
    const { config } = await load({ OAUTH_AUTHORIZATION_SERVERS: issuer })
    expect(config.auth.issuers).toEqual([expect.objectContaining({ issuer, type })])
  })

  it('with a slash too many is refused, with what to write', async () => {
    expect(await told({ OAUTH_AUTHORIZATION_SERVERS: `${REALM}/` })).toMatch(
      /auth\.issuers[\s\S]*without a slash at the end/,
    )
  })
  it('on plain http elsewhere is refused', async () => {
    expect(await told({ OAUTH_AUTHORIZATION_SERVERS: 'http://id.example.com/realms/mcp' })).toMatch(/is http/)
  })
  it('of Google asks for the client id', async () => {
    expect(await told({ OAUTH_AUTHORIZATION_SERVERS: 'https://accounts.google.com' })).toMatch(/client id/)
  })
})

describe('OAUTH_BEARER_METHODS_SUPPORTED', () => {
  it.each([
    ['header', ''],
    ['["header"]', ''],
    ['header, body', 'body'],
    ['header,body,query', 'body, query'],
  ])('%s refuses %j', async (text, refused) => {
    const said = await told({ OAUTH_BEARER_METHODS_SUPPORTED: text })
    if (refused === '') expect(said).not.toContain('is refused')
    else expect(said).toContain(`names ${refused}: a token in a body or a URL ends up in logs and is refused`)
  })
})

describe('JWT_* of ContextForge', () => {
  const KEY = { JWT_PUBLIC_KEY_PATH: 'keys/jwt.pem' }

  it('are an issuer by their key pair, the file beside the process', async () => {
    const { config } = await load({ ...KEY, JWT_ALGORITHM: 'RS256', JWT_ISSUER: 'forge', JWT_AUDIENCE: 'mcp' })
    const [issuer] = config.auth.issuers
    expect(issuer).toMatchObject({ issuer: 'forge', audience: 'mcp', algorithms: ['RS256'] })
    expect(issuer?.jwksFile).toBe(join(cwd, 'keys/jwt.pem'))
    // Its tokens come beside ours.
    expect(config.doors.oauth).toBe(true)
  })

  it('stand beside the issuers of a file', async () => {
    const { config } = await load(KEY, { auth: { issuers: [{ issuer: 'https://a.example' }] } })
    expect(config.auth.issuers.map(({ issuer }) => issuer)).toEqual(['https://a.example', 'mcpgateway'])
  })

  it.each([
    [{ JWT_SECRET_KEY: 'my-test-key' }, 'JWT_SECRET_KEY'],
    [{ ...KEY, JWT_ALGORITHM: 'HS256' }, 'JWT_ALGORITHM'],
    [{ ...KEY, JWT_ALGORITHM: 'hs512' }, 'JWT_ALGORITHM'],
  ])('with a shared key are refused, with the reason and the way out: %j', async (env, name) => {
    const said = await told(env)
    expect(said).toMatch(
      new RegExp(`${name}[\\s\\S]*whoever can check[\\s\\S]*can make one[\\s\\S]*JWT_PUBLIC_KEY_PATH`),
    )
    expect(said).not.toContain('my-test-key')
  })

  it('without a key are said to have no effect', async () => {
    expect(await told({ JWT_ISSUER: 'x' })).toContain('JWT_ISSUER has no effect')
    expect(await told({ JWT_ISSUER: 'x', JWT_AUDIENCE: 'y' })).toContain('JWT_ISSUER, JWT_AUDIENCE have no effect')
    expect(await told(KEY)).not.toContain('no effect')
  })
})
