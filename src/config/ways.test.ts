import { describe, expect, it } from 'vitest'
import { Config, type ConfigInput } from './schema.ts'
import { checkWays, identityProxies, proxiesOf, waysAt } from './ways.ts'

type Own = NonNullable<ConfigInput['servers']>[number]['auth']

const ISSUERS = ['https://a.example.com', 'https://b.example.com'].map((issuer) => ({ issuer }))
const AUTH: ConfigInput['auth'] = { anonymous: true, issuers: ISSUERS, proxy: { userHeader: 'X-User' }, mtls: {} }

const parse = (auth: ConfigInput['auth'], own?: Own, trustedProxies: string[] = []) =>
  Config.parse({
    auth,
    server: { trustedProxies },
    servers: [{ id: 'a', url: 'http://127.0.0.1:9/mcp', ...(own && { auth: own }) }],
  })
const ways = (own: Own) => {
  const { auth, servers } = parse(AUTH, own)
  const { issuers, proxy, mtls, ...flags } = waysAt(auth, servers[0]?.auth)
  return { ...flags, issuers: issuers.map(({ issuer }) => issuer), proxy: proxy?.userHeader, mtls: mtls !== undefined }
}
const SAME = {
  anonymous: true,
  tokens: true,
  issuers: ['https://a.example.com', 'https://b.example.com'],
  audience: undefined,
  proxy: 'X-User',
  mtls: true,
}

describe('the ways at one server', () => {
  it.each<[string, Own, object]>([
    ['are those of `auth` where it says nothing', undefined, {}],
    ['or nothing of a way', {}, {}],
    [
      'may take ways away',
      { anonymous: false, tokens: false, issuers: [], proxy: false, mtls: false },
      { anonymous: false, tokens: false, issuers: [], proxy: undefined, mtls: false },
    ],
    ['may choose among the issuers', { issuers: ['https://b.example.com'] }, { issuers: ['https://b.example.com'] }],
    ['may keep a way by name', { proxy: true, mtls: true }, {}],
    ['may have a proxy of their own', { proxy: { userHeader: 'X-Employee-Id' } }, { proxy: 'X-Employee-Id' }],
    ['may ask for another audience', { audience: 'external-clients' }, { audience: 'external-clients' }],
  ])('%s', (_what, own, differs) => {
    expect(ways(own)).toEqual({ ...SAME, ...differs })
  })

  it('are refused where they name what is not there', () => {
    const told = (own: Own) => checkWays(parse({}, own)).map(({ path, message }) => [path.join('.'), message])
    expect(told({ proxy: true, mtls: true, issuers: ['https://c.example.com'] })).toEqual([
      ['servers.0.auth.proxy', expect.stringContaining('auth.proxy')],
      ['servers.0.auth.mtls', expect.stringContaining('auth.mtls')],
      ['servers.0.auth.issuers', expect.stringContaining('https://c.example.com')],
    ])
    expect(checkWays(parse(AUTH, { proxy: true, mtls: true, issuers: ['https://a.example.com'] }))).toEqual([])
  })
})

describe('whose identity headers count', () => {
  it('is what the operator names', () => {
    expect(identityProxies(parse(AUTH, undefined, ['10.0.0.5']))).toEqual(['10.0.0.5'])
    expect(identityProxies(parse({}, undefined, ['10.0.0.5']))).toEqual(['10.0.0.5'])
  })

  it('is this machine where a proxy is expected and none is named', () => {
    const machine = ['127.0.0.0/8', '::1', 'unix']
    expect(identityProxies(parse({ proxy: {} }))).toEqual(machine)
    expect(identityProxies(parse({}, { proxy: { userHeader: 'X-Employee-Id' } }))).toEqual(machine)
  })

  it('is nobody where no proxy is expected', () => {
    expect(identityProxies(parse({}))).toEqual([])
    expect(proxiesOf(parse({ proxy: {} }, { proxy: false }))).toHaveLength(1)
    expect(proxiesOf(parse({ proxy: {} }, { proxy: { userHeader: 'X-Employee-Id' } }))).toHaveLength(2)
  })
})
