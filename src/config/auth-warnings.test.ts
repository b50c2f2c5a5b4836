import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { proxy } from './auth-proxy.ts'
import { authWarnings } from './auth-warnings.ts'
import { Config, type ConfigInput } from './schema.ts'

type Sections = Pick<ConfigInput, 'auth' | 'servers' | 'server'>

const warnings = (sections: Sections): string[] =>
  authWarnings(Config.parse(sections) as Parameters<typeof authWarnings>[0])
const server = (id: string, auth?: NonNullable<ConfigInput['servers']>[number]['auth']) => ({
  id,
  url: 'http://127.0.0.1:9/mcp',
  ...(auth && { auth }),
})
const TRUSTED = { trustedProxies: ['10.0.0.0/8'] }
const LINE = /^MCP client authentication is disabled but trust_proxy_auth is not set/

describe('a start that lets nobody prove who they are', () => {
  it('says so in ContextForge’s words', () => {
    expect(warnings({ auth: { tokens: false } })).toEqual([expect.stringMatching(LINE)])
    expect(warnings({ auth: { tokens: false, anonymous: true } })).toEqual([expect.stringMatching(LINE)])
  })

  it('names the servers it is so at', () => {
    const servers = [server('a', { tokens: false }), server('b')]
    expect(warnings({ servers })).toEqual([expect.stringMatching(/is not set \(servers: a\)\./)])
    expect(warnings({ auth: { tokens: false }, servers: [server('a')] })[0]).not.toContain('(servers:')
  })

  it.each<[string, Sections]>([
    ['our own tokens', {}],
    ['a proxy', { auth: { tokens: false, proxy: {} }, server: TRUSTED }],
    ['certificates', { auth: { tokens: false, mtls: {} } }],
    ['another issuer', { auth: { tokens: false, issuers: [{ issuer: 'https://id.example.com' }] } }],
    ['ways of each server', { auth: { tokens: false }, servers: [server('a', { tokens: true })] }],
  ])('is silent with %s', (_what, sections) => {
    expect(warnings(sections)).toEqual([])
  })
})

describe('trust without a proxy that is named', () => {
  it('says that this machine alone is believed', () => {
    expect(warnings({ auth: { proxy: {} } })).toEqual([
      expect.stringMatching(/server\.trustedProxies is empty.*this machine only/),
    ])
    expect(warnings({ servers: [server('a', { proxy: { userHeader: 'X-Employee-Id' } })] })).toHaveLength(1)
  })

  it('is silent where a signature is what counts', () => {
    expect(warnings({ auth: { proxy: { preset: 'cloudflare-access' } } })).toEqual([])
  })
})

describe('the plain header of an edge that signs', () => {
  it.each([
    ['Cf-Access-Authenticated-User-Email', 'cloudflare-access'],
    ['X-Amzn-Oidc-Identity', 'aws-alb'],
    ['x-goog-authenticated-user-email', 'google-iap'],
    ['X-Pomerium-Claim-Email', 'pomerium'],
  ])('%s: gives the lines that would verify it', (userHeader, preset) => {
    const [said = '', ...more] = warnings({ auth: { proxy: { userHeader } }, server: TRUSTED })
    expect(more).toEqual([])
    expect(said).toContain(userHeader)
    const lines = said.slice(said.indexOf('auth.proxy: {') + 'auth.proxy: '.length)
    expect(proxy.parse(parse(lines))).toMatchObject({ preset })
  })

  it('is silent with the preset, and for a header of nobody else', () => {
    for (const proxy of [
      { preset: 'cloudflare-access', userHeader: 'Cf-Access-Authenticated-User-Email' } as const,
      { userHeader: 'Remote-User' },
    ])
      expect(warnings({ auth: { proxy }, server: TRUSTED })).toEqual([])
  })
})

describe('oauth2-proxy', () => {
  it('is asked to be pinned to one family of headers', () => {
    const at = (proxy: NonNullable<ConfigInput['auth']>['proxy']) => warnings({ auth: { proxy }, server: TRUSTED })
    expect(at({ preset: 'oauth2-proxy' })).toEqual([expect.stringMatching(/X-Forwarded-User or X-Auth-Request-User/)])
    expect(at({ preset: 'oauth2-proxy', userHeader: 'X-Forwarded-User' })).toEqual([])
  })
})
