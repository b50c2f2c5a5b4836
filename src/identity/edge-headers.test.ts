import { describe, expect, it } from 'vitest'
import { proxy } from '../config/auth-proxy.ts'
import { identityFields, identityHeadersOf, issuerOf } from './edge-headers.ts'

type Input = Parameters<typeof proxy.parse>[0]
const headersOf = (input: Input) => identityHeadersOf(proxy.parse(input))

describe('the fields of a proxy', () => {
  it('are one, where nothing is said', () => {
    expect(headersOf({})).toEqual([{ user: 'x-authenticated-user' }])
  })

  it.each<[string, readonly string[]]>([
    ['oauth2-proxy', ['x-forwarded-user', 'x-auth-request-user']],
    ['authelia', ['remote-user']],
    ['kong', ['x-consumer-username']],
    ['azure-easyauth', ['x-ms-client-principal-id']],
    ['istio', ['x-user-id']],
    ['cloudflare-access', ['cf-access-jwt-assertion']],
    ['aws-alb', ['x-amzn-oidc-data']],
    ['google-iap', ['x-goog-iap-jwt-assertion']],
    ['pomerium', ['x-pomerium-jwt-assertion']],
    ['tailscale', ['tailscale-user-login']],
  ])('are those of %s', (preset, users) => {
    const families = headersOf({ preset })
    expect(families.map(({ user }) => user)).toEqual(users)
    for (const name of identityFields(proxy.parse({ preset }))) expect(name).toBe(name.toLowerCase())
  })

  it('of one’s own go over those of the preset', () => {
    const own = { preset: 'authelia', userHeader: 'Remote-Login', groupsHeader: 'X-Teams', emailHeader: 'X-Mail' }
    expect(headersOf(own)).toEqual([{ user: 'remote-login', email: 'x-mail', name: 'remote-name', groups: 'x-teams' }])
  })

  it('of an edge that signs are its own, whatever plain one is named', () => {
    const named = { preset: 'cloudflare-access', userHeader: 'Cf-Access-Authenticated-User-Email' }
    expect(headersOf(named)).toEqual([{ user: 'cf-access-jwt-assertion' }])
    expect(headersOf({ preset: 'istio', userHeader: 'X-Claims' })).toEqual([{ user: 'x-claims' }])
  })

  it('keep to the family that has the user header', () => {
    expect(headersOf({ preset: 'oauth2-proxy', userHeader: 'X-Auth-Request-Email' })).toEqual([
      {
        user: 'x-auth-request-email',
        email: 'x-auth-request-email',
        name: 'x-auth-request-preferred-username',
        groups: 'x-auth-request-groups',
      },
    ])
  })
})

describe('the issuer of a proxy’s people', () => {
  it('is the same wherever they are named in the same field', () => {
    const general = proxy.parse({ userHeader: 'X-User' })
    expect(issuerOf(general, general)).toBe('proxy')
    expect(issuerOf(general, undefined)).toBe('proxy')
    expect(issuerOf(proxy.parse({ userHeader: 'x-user', groupsHeader: 'X-Groups' }), general)).toBe('proxy')
    expect(issuerOf(proxy.parse({ userHeader: 'X-Employee-Id' }), general)).toBe('proxy:x-employee-id')
  })
})
