// One test a key: the example in its row is written into a file, and what the row promises must happen.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FOREIGN_KEYS, type ForeignKey } from './foreign-keys.ts'
import { isTree } from './input.ts'
import { loadConfig } from './load.ts'

const cwd = mkdtempSync(join(tmpdir(), 'portcullis-foreign-'))
const file = join(cwd, 'portcullis.yaml')

function load(text: string, env: Record<string, string> = {}) {
  writeFileSync(file, text)
  return loadConfig({ env, cwd, flags: { config: file } })
}

/** Sections as they are written, with what a whole delegation needs. */
function fileWith({ name, example }: ForeignKey): string {
  const [section = '', key] = name.split('.')
  if (key === undefined) return `${section}: ${example}\n`
  const whole = { enable_auth: 'true', external_auth_service_url: 'http://localhost:8080', [key]: example }
  const keys = section === 'adapter_config' ? whole : { [key]: example }
  const lines = Object.entries(keys).map(([one, value]) => `  ${one}: ${value}\n`)
  return `${section}:\n${lines.join('')}`
}

describe.each(FOREIGN_KEYS.map((row) => [row.name, row] as const))('%s', (name, row) => {
  if (row.status === 'works')
    it(`sets ${row.setting}`, async () => {
      const { config } = await load(fileWith(row))
      const value = row.setting
        .split('.')
        .reduce<unknown>((at, key) => (isTree(at) ? at[key] : undefined), { ...config })
      if (row.setting === 'identity.providers') expect(value).toEqual([expect.objectContaining(row.gives)])
      else expect(value).toEqual(row.gives)
    })
  else
    it('is told by name, and refused where it would weaken the gate', async () => {
      const said = await load(fileWith(row)).then(
        ({ warnings }) => warnings.join('\n'),
        (error: Error) => error.message,
      )
      expect(said).toContain(`portcullis.yaml:`)
      expect(said).toContain(name)
      if (row.refuses?.when(row.example)) expect(said).toContain(row.refuses.because)
    })
})

// As the documentation of that system shows both files.
const AUTHORIZATION_SERVER = `
proxy_oauth:
  enabled: true
  allowed_redirect_uris:
    - "http://localhost:8090/oauth/callback"
    - "http://localhost:*"
    - "https://mcp.example.com/oauth/callback"
  gateway_code_ttl_seconds: 300
  strict_uri_validation: false
`
const GATEWAY = `
adapter_config:
    enable_auth: \${OAUTH2_ENABLED}

    external_auth_service_url: \${EXTERNAL_AUTH_SERVICE_URL, http://localhost:8080}
    external_auth_provider: \${EXTERNAL_AUTH_PROVIDER, azure}
`

describe('the documented files', () => {
  it('of the authorization server: wildcards, and a warning outside of development', async () => {
    const { config, warnings } = await load(AUTHORIZATION_SERVER)
    expect(config.oauth.gatewayCallbacks).toEqual({
      enabled: true,
      allowedRedirectUris: [
        'http://localhost:8090/oauth/callback',
        'http://localhost:*',
        'https://mcp.example.com/oauth/callback',
      ],
      codeTtl: 300_000,
      strict: false,
    })
    expect(warnings.join('\n')).toMatch(/strict_uri_validation\) is off outside of development.*http:\/\/localhost:\*/)
    expect((await load(`${AUTHORIZATION_SERVER}development_mode: true\n`)).warnings.join('\n')).not.toMatch(/strict/)
  })

  it('of the gateway, with its variables and without', async () => {
    const { config } = await load(GATEWAY, { OAUTH2_ENABLED: 'true' })
    expect(config.identity.providers).toEqual([
      {
        id: 'delegated',
        type: 'delegated',
        url: 'http://localhost:8080',
        provider: 'azure',
        callback: '/oauth/callback',
      },
    ])
    const other = await load(GATEWAY, {
      OAUTH2_ENABLED: 'true',
      EXTERNAL_AUTH_SERVICE_URL: 'https://auth.example.com',
      EXTERNAL_AUTH_PROVIDER: 'google',
    })
    expect(other.config.identity.providers).toEqual([
      expect.objectContaining({ url: 'https://auth.example.com', provider: 'google' }),
    ])
    await expect(load(GATEWAY)).rejects.toThrow(/portcullis\.yaml:3.*enable_auth[\s\S]*OAUTH2_ENABLED is not set/)
  })

  it('of the gateway, beside providers of our own', async () => {
    const own = 'identity: { providers: [{ type: local }] }\n'
    const { config } = await load(own + GATEWAY, { OAUTH2_ENABLED: 'true' })
    expect(config.identity.providers.map(({ type }) => type)).toEqual(['local', 'delegated'])
  })
})

describe('a wildcard callback under strict', () => {
  it.each([
    [
      'their key',
      'proxy_oauth: { enabled: true, allowed_redirect_uris: ["http://localhost:*"], strict_uri_validation: true }',
    ],
    ['ours', 'oauth: { gatewayCallbacks: { enabled: true, allowedRedirectUris: ["http://localhost:*"] } }'],
  ])('refuses to start, names the setting and the remedy: %s', async (_whose, text) => {
    const loading = load(text)
    await expect(loading).rejects.toThrow(/portcullis\.yaml:1:\d+.*oauth\.gatewayCallbacks\.allowedRedirectUris\[0\]/)
    await expect(loading).rejects.toThrow(
      /http:\/\/localhost:\* has a wildcard.*Write the exact callback.*strict: false/,
    )
  })

  it('starts with exact callbacks', async () => {
    const text = 'oauth: { gatewayCallbacks: { enabled: true, allowedRedirectUris: ["https://mcp.example.com/cb"] } }'
    const { config, warnings } = await load(text)
    expect(config.oauth.gatewayCallbacks.strict).toBe(true)
    expect(warnings).toEqual([])
  })
})

describe('what cannot be meant', () => {
  it.each([
    ['an unknown key', 'proxy_oauth: { enable: true }', /Did you mean proxy_oauth\.enabled/],
    ['a section that is a text', 'proxy_oauth: yes please', /It holds settings: enabled, allowed_redirect_uris/],
    ['a map in place of a value', 'proxy_oauth: { enabled: { x: 1 } }', /proxy_oauth\.enabled[\s\S]*cannot be read/],
    ['an earlier name', 'gateway_oauth_proxy: { enabled: true }', /gateway_oauth_proxy.*write proxy_oauth/],
    ['neither true nor false', 'proxy_oauth: { enabled: perhaps }', /Write true or false/],
    [
      'both names of a setting',
      'session: { timeout: 60 }\nidentity: { sessionTtl: 1h }',
      /identity\.sessionTtl says the same/,
    ],
    ['two that differ', 'development_mode: true\nadapter_config: { dev_mode: false }', /The two differ/],
    ['http beyond loopback', 'proxy_oauth: { allowed_redirect_uris: ["http://gw.example.com/cb"] }', /must use https/],
    ['a delegation to nowhere', 'adapter_config: { enable_auth: true }', /url[\s\S]*required/],
    ['sign-in over stdio', 'adapter_config: { transport: stdio }', /no sign-in over it/],
  ])('%s', async (_what, text, said) => {
    await expect(load(text)).rejects.toThrow(said)
  })
})

describe('providers', () => {
  const AZURE = `
providers:
  azure:
    issuer: https://login.microsoftonline.com/8f2c5d6e-0000-4000-8000-1234567890ab/v2.0
    client_id: gate
    client_secret: \${SECRET}
    redirect_uri: http://localhost:8080/callback
    scope: openid email profile
`
  it('become ours, at the callback that was registered there', async () => {
    const { config } = await load(AZURE, { SECRET: 'between the two' })
    expect(config.identity.providers).toEqual([
      {
        id: 'azure',
        type: 'entra',
        issuer: 'https://login.microsoftonline.com/8f2c5d6e-0000-4000-8000-1234567890ab/v2.0',
        clientId: 'gate',
        clientSecret: 'between the two',
        scopes: ['openid', 'email', 'profile'],
        callback: '/callback',
      },
    ])
  })

  it.each([
    ['an audience', '    audience: x\n', /providers\.azure\.audience[\s\S]*identity\.providers/],
    ['a callback elsewhere', '    redirect_uri: https://other.example.com/back\n', /Register \/callback there/],
  ])('%s is refused', async (_what, line, said) => {
    const text = AZURE.replace(/ {4}redirect_uri.*\n/, '') + line
    await expect(load(text, { SECRET: 'x' })).rejects.toThrow(said)
  })

  it('two at one callback could be taken for each other', async () => {
    const second =
      '  okta: { issuer: https://a.okta.example, client_id: b, redirect_uri: http://localhost:8080/callback }\n'
    await expect(load(AZURE + second, { SECRET: 'x' })).rejects.toThrow(
      /provider azure has \/callback already.*\/callback\/okta/,
    )
    const apart = second.replace('/callback }', '/callback/okta }')
    expect((await load(AZURE + apart, { SECRET: 'x' })).config.identity.providers).toHaveLength(2)
  })
})
