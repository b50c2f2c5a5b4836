// What each preset must be told, and may not be: each refusal names the setting and the cure, beside a twin that is taken.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { PRESETS, type ProxyConfig } from './auth-proxy.ts'
import { authWarnings } from './auth-warnings.ts'
import { checkEdges } from './edges.ts'
import { loadConfig } from './load.ts'
import { Config } from './schema.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-edges-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Settings = Readonly<Record<string, unknown>>

/** The loader's message; `taken` when there is none. */
async function judge(config: object, env: Record<string, string> = {}): Promise<string> {
  const file = join(folder, 'portcullis.json')
  writeFileSync(file, JSON.stringify(config))
  return loadConfig({ env, cwd: folder, flags: { config: file }, resolveHost: async () => [] }).then(
    () => 'taken',
    (error: Error) => error.message,
  )
}
const at = (proxy: Settings) => ({ auth: { proxy } })

const ARN = 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/mcp/50dc6c495c0c9188'
const CLOUDFLARE = { preset: 'cloudflare-access', issuer: 'https://team.cloudflareaccess.com', audience: 'tag' }
const AWS = { preset: 'aws-alb', signer: ARN }
const GOOGLE = { preset: 'google-iap', audience: '/projects/1/global/backendServices/2' }
const POMERIUM = { preset: 'pomerium', issuer: 'mcp.example.com', audience: 'mcp.example.com' }

describe('a setting without which somebody else’s word would count', () => {
  it.each<[string, Settings, string, RegExp]>([
    ['issuer', CLOUDFLARE, 'issuer', /https:\/\/team\.cloudflareaccess\.com/],
    ['audience', CLOUDFLARE, 'audience', /Application Audience \(AUD\)/],
    ['signer', AWS, 'signer', /signer: arn:aws:elasticloadbalancing/],
    ['audience', GOOGLE, 'audience', /\/projects\/NUMBER/],
    ['issuer', POMERIUM, 'issuer', /host of the route/],
    ['audience', POMERIUM, 'audience', /host of the route/],
  ])('%s is required of %j', async (_key, settings, key, cure) => {
    const said = await judge(at({ ...settings, [key]: undefined }))
    expect(said).toContain(`  auth.proxy.${key}\n`)
    expect(said).toContain('(one problem)')
    expect(said).toMatch(cure)
    expect(await judge(at(settings))).toBe('taken')
  })

  it('is required of a server’s own edge, too', async () => {
    const server = (proxy: Settings) => ({ servers: [{ id: 'a', url: 'http://127.0.0.1:9/mcp', auth: { proxy } }] })
    expect(await judge(server({ preset: 'google-iap' }))).toContain('  servers[0].auth.proxy.audience\n')
    expect(await judge(server(GOOGLE))).toBe('taken')
  })

  it('all that are missing are told at once', async () => {
    const said = await judge(at({ preset: 'pomerium' }))
    expect(said).toContain('auth.proxy.issuer')
    expect(said).toContain('auth.proxy.audience')
    expect(said).toContain('(2 problems)')
  })
})

describe('what would be read by nobody', () => {
  it.each<[string, Settings, string, RegExp]>([
    ['an audience without an edge', { audience: 'x' }, 'audience', /preset: cloudflare-access/],
    ['a signer without an edge', { signer: ARN }, 'signer', /preset: cloudflare-access/],
    [
      'keys of a proxy that does not sign',
      { preset: 'authelia', keys: 'https://a.example/jwks' },
      'keys',
      /take it out/,
    ],
    ['an issuer of one', { preset: 'tailscale', issuer: 'https://a.example' }, 'issuer', /take it out/],
    ['a claim of one', { userHeader: 'X-User', groupsClaim: 'groups' }, 'groupsClaim', /take it out/],
    [
      'a foreign plain header beside an edge',
      { ...CLOUDFLARE, userHeader: 'X-Forwarded-User' },
      'userHeader',
      /preset out/,
    ],
    [
      'another edge’s plain header',
      { ...AWS, userHeader: 'Cf-Access-Authenticated-User-Email' },
      'userHeader',
      /Take it out/,
    ],
    ['plain groups beside an edge', { ...POMERIUM, groupsHeader: 'X-Groups' }, 'groupsHeader', /groupsClaim/],
    ['a plain address beside an edge', { ...GOOGLE, emailHeader: 'X-Email' }, 'emailHeader', /Take it out/],
    ['a plain name beside an edge', { ...GOOGLE, nameHeader: 'X-Name' }, 'nameHeader', /Take it out/],
    [
      'a plain address beside Istio’s claims',
      { preset: 'istio', emailHeader: 'X-Email' },
      'emailHeader',
      /Take it out/,
    ],
    ['a user header of Azure’s', { preset: 'azure-easyauth', userHeader: 'X-User' }, 'userHeader', /Take it out/],
    ['an issuer of Google’s', { ...GOOGLE, issuer: 'https://cloud.google.com/iap' }, 'issuer', /Take it out/],
    ['a signer that is no load balancer', { ...CLOUDFLARE, signer: ARN }, 'signer', /Take it out/],
    ['keys of Istio’s', { preset: 'istio', keys: 'https://a.example/jwks' }, 'keys', /Take it out/],
  ])('%s is refused', async (_what, settings, key, cure) => {
    const said = await judge(at(settings))
    expect(said).toContain(`  auth.proxy.${key}\n`)
    expect(said).toContain('(one problem)')
    expect(said).toMatch(cure)
    const { [key]: _, ...rest } = settings
    expect(await judge(at(rest))).toBe('taken')
  })

  it('the edge’s own plain header is taken, by the file and by the variable, since the assertion says the same', async () => {
    const userHeader = 'Cf-Access-Authenticated-User-Email'
    expect(await judge(at({ ...CLOUDFLARE, userHeader }))).toBe('taken')
    const env = { TRUST_PROXY_AUTH: 'true', PROXY_USER_HEADER: userHeader }
    expect(await judge(at(CLOUDFLARE), env)).toBe('taken')
    expect(await judge(at(AWS), env)).toMatch(/PROXY_USER_HEADER[\s\S]*would not be read/)
  })
})

describe('what could match nothing', () => {
  it.each<[string, Settings, string, Settings]>([
    ['a team domain with a slash too many', { ...CLOUDFLARE, issuer: `${CLOUDFLARE.issuer}/` }, 'issuer', CLOUDFLARE],
    ['one without its scheme', { ...CLOUDFLARE, issuer: 'team.cloudflareaccess.com' }, 'issuer', CLOUDFLARE],
    ['one over http', { ...CLOUDFLARE, issuer: 'http://team.cloudflareaccess.com' }, 'issuer', CLOUDFLARE],
    ['one in capitals', { ...CLOUDFLARE, issuer: 'https://TEAM.cloudflareaccess.com' }, 'issuer', CLOUDFLARE],
    ['an ARN of another kind', { ...AWS, signer: ARN.replace('/app/', '/net/') }, 'signer', AWS],
    ['a name in place of the ARN', { ...AWS, signer: 'mcp' }, 'signer', AWS],
    ['a name in place of the path', { ...GOOGLE, audience: 'backend' }, 'audience', GOOGLE],
    ['one such among others', { ...GOOGLE, audience: [GOOGLE.audience, '/projects/name/x'] }, 'audience', GOOGLE],
    [
      'a route’s URL without its slash',
      { ...POMERIUM, issuer: 'https://mcp.example.com' },
      'issuer',
      { ...POMERIUM, issuer: 'https://mcp.example.com/' },
    ],
    ['a route’s host with a slash', { ...POMERIUM, issuer: 'mcp.example.com/' }, 'issuer', POMERIUM],
    ['an audience that is empty', { ...CLOUDFLARE, audience: [] }, 'audience', { ...CLOUDFLARE, audience: ['a', 'b'] }],
    [
      'a partition whose keys are elsewhere',
      { ...AWS, signer: ARN.replace('arn:aws:', 'arn:aws-cn:') },
      'keys',
      { ...AWS, signer: ARN.replace('arn:aws:', 'arn:aws-cn:'), keys: 'https://keys.example.cn' },
    ],
    [
      'keys over plain http',
      { ...POMERIUM, keys: 'http://keys.example/jwks' },
      'keys',
      { ...POMERIUM, keys: 'http://127.0.0.1:9/jwks' },
    ],
  ])('%s is refused', async (_what, bad, key, good) => {
    const said = await judge(at(bad))
    expect(said).toContain(`  auth.proxy.${key}`)
    expect(said).toContain('(one problem)')
    expect(await judge(at(good))).toBe('taken')
  })

  it.each([[['cloudflare-access', 'aws-alb']], ['cloudflare-access, aws-alb'], ['cloudflare-access+authelia']])(
    'two presets at once are refused: %j',
    async (preset) => {
      const said = await judge(at({ ...CLOUDFLARE, preset }))
      expect(said).toContain('  auth.proxy.preset\n')
      expect(said).toMatch(/One preset only.*servers\[\]\.auth\.proxy/)
    },
  )

  it('also at a server, where `false` could stand in their place', async () => {
    const proxy = { preset: ['aws-alb', 'pomerium'] }
    const said = await judge({ servers: [{ id: 'a', url: 'http://127.0.0.1:9/mcp', auth: { proxy } }] })
    expect(said).toContain('  servers[0].auth.proxy.preset\n')
    expect(said).toContain('One preset only')
    const misspelt = { servers: [{ id: 'a', url: 'http://127.0.0.1:9/mcp', auth: { proxy: { usrHeader: 'X' } } }] }
    expect(await judge(misspelt)).toContain('Did you mean "userHeader"?')
  })

  it('a preset that is none names those that are', async () => {
    expect(await judge(at({ preset: 'cloudflare' }))).toMatch(/cloudflare-access/)
  })
})

const PAGES = fileURLToPath(new URL('../../docs/guides/edges/', import.meta.url))
const pages = readdirSync(PAGES).map((name) => name.replace(/\.md$/, ''))

it('every preset has its page', () => {
  expect(pages.toSorted()).toEqual([...PRESETS].toSorted())
})

it.each(pages)('the lines on the page of %s are taken as they are', async (preset) => {
  const [, block = ''] = /^```yaml\n([\s\S]*?)^```/m.exec(readFileSync(join(PAGES, `${preset}.md`), 'utf8')) ?? []
  const config = parse(block)
  expect(config).toMatchObject({ auth: { proxy: { preset } } })
  expect(await judge(config)).toBe('taken')
})

it('the lines that a warning gives are taken as they are', async () => {
  for (const userHeader of [
    'Cf-Access-Authenticated-User-Email',
    'X-Amzn-Oidc-Identity',
    'X-Goog-Authenticated-User-Email',
    'X-Goog-Authenticated-User-Id',
    'X-Pomerium-Claim-Email',
  ]) {
    const config = Config.parse({ auth: { proxy: { userHeader } }, server: { trustedProxies: ['10.0.0.1'] } })
    const [said = ''] = authWarnings(config as Parameters<typeof authWarnings>[0])
    const lines: ProxyConfig = parse(said.slice(said.indexOf('auth.proxy: {') + 'auth.proxy: '.length))
    expect(await judge(at({ ...lines }))).toBe('taken')
    expect(checkEdges(Config.parse({ auth: { proxy: lines } }) as Config)).toEqual([])
  }
})
