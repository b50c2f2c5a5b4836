import { describe, expect, it } from 'vitest'
import { Config, type Config as Settled } from '../config/schema.ts'
import { OperatorError, RequestError } from '../protocol/errors.ts'
import { protectedResources } from './protected.ts'

function placesOf(input: object, url = 'https://gate.example.com') {
  const parsed = Config.parse(input)
  const config = { ...parsed, server: { ...parsed.server, url, allowedOrigins: [] } } as Settled
  const isCovered = (server: string) => server !== 'bare.example.com'
  const scopes = {
    isCovered,
    scopesFor: (server = '') => ['openid', ...(isCovered(server) ? ['mcp:tools'] : [])],
    requiredScopesFor: () => ['openid'],
    stepUpScopesFor: () => [],
  }
  return protectedResources({ config, scopes })
}

const at = (url: string) => {
  const { protocol, host, pathname } = new URL(url)
  return { scheme: protocol === 'http:' ? ('http' as const) : ('https' as const), host, path: pathname }
}

const places = placesOf({
  oauth: { requiredScopes: ['openid'] },
  servers: [
    { id: 'notes', title: 'Notes', url: 'http://notes.internal/mcp', publicUrl: 'https://notes.example.com/mcp/' },
    { id: 'plain', url: 'http://plain.internal/mcp' },
  ],
  forwardAuth: {
    unauthenticated: 'challenge',
    resources: [
      { host: 'app.example.com' },
      {
        host: 'app.example.com',
        path: '/admin',
        scopes: ['app:admin'],
        allowedEmails: ['*@example.com'],
        server: 'app',
      },
      { host: '*.tenants.example.com', unauthenticated: 'redirect' },
      { host: 'bare.example.com' },
      { host: 'app.localhost:8080' },
    ],
  },
})

describe('a protected host', () => {
  it.each([
    ['https://app.example.com/', 'https://app.example.com'],
    ['https://app.example.com/x/y', 'https://app.example.com'],
    ['https://app.example.com/admin', 'https://app.example.com/admin'],
    ['https://app.example.com/admin/users', 'https://app.example.com/admin'],
    ['https://app.example.com/administration', 'https://app.example.com'],
    ['https://notes.example.com/mcp', 'https://notes.example.com/mcp'],
    ['https://a.tenants.example.com/x', 'https://a.tenants.example.com'],
    ['http://app.localhost:8080/x', 'http://app.localhost:8080'],
  ])('%s belongs to %s', (url, resource) => {
    expect(places.find(at(url))?.resource.url).toBe(resource)
  })

  it.each([
    'https://other.example.com/',
    'https://example.com/',
    'https://x.app.example.com/',
    'https://tenants.example.com/',
    'https://a.b.tenants.example.com/',
    'https://notes.example.com/',
    'https://notes.example.com/mcpx',
    'https://app.example.com:8443/',
    'https://app.localhost/',
  ])('%s belongs to nobody', (url) => {
    expect(places.find(at(url))).toBeUndefined()
  })

  it.each(['/ADMIN', '/Admin/users', '/%EF%BD%81dmin'])(
    '%s is refused where a lenient server would read /admin',
    (path) => {
      expect(() => places.find({ scheme: 'https', host: 'app.example.com', path })).toThrow(RequestError)
      expect(places.find({ scheme: 'https', host: 'bare.example.com', path })?.resource.url).toBe(
        'https://bare.example.com',
      )
    },
  )

  it('says what is asked of a caller there', () => {
    const admin = places.find(at('https://app.example.com/admin'))
    expect(admin).toMatchObject({
      server: 'app',
      origin: 'https://app.example.com',
      required: ['app:admin'],
      unauthenticated: 'challenge',
      scoped: true,
      wanted: { server: 'app', resources: ['https://app.example.com/admin'] },
      resource: {
        scopes: ['openid', 'mcp:tools', 'app:admin'],
        document: 'https://gate.example.com/.well-known/oauth-protected-resource/auth/app.example.com/admin',
      },
    })
    expect(admin?.admits('ann@example.com')).toBe(true)
    expect(admin?.admits('ann@other.example')).toBe(false)
    expect(admin?.admits(undefined)).toBe(false)
    expect(places.find(at('https://app.example.com/'))?.admits(undefined)).toBe(true)
    expect(places.find(at('https://bare.example.com/'))?.scoped).toBe(false)
    expect(places.find(at('https://a.tenants.example.com/'))?.unauthenticated).toBe('redirect')
  })

  it('takes tokens for either address of a server', () => {
    const notes = places.find(at('https://notes.example.com/mcp'))
    expect(notes?.wanted).toEqual({
      server: 'notes',
      resources: ['https://notes.example.com/mcp', 'https://gate.example.com/servers/notes/mcp'],
    })
    expect(notes?.resource.title).toBe('Notes')
  })

  it('is found by the identifier a client names, in one spelling', () => {
    const found = (url: string) => places.findByUrl(url)?.url
    expect(found('https://app.example.com/')).toBe('https://app.example.com')
    expect(found('https://app.example.com/sse')).toBe('https://app.example.com')
    expect(found('https://a.tenants.example.com')).toBe('https://a.tenants.example.com')
    for (const url of [
      'http://app.example.com',
      'https://APP.example.com',
      'https://app.example.com:443',
      'https://u@app.example.com',
      'https://app.example.com/?x',
      'https://app.example.com/#x',
      'https://evil.example',
      'app.example.com',
    ])
      expect(found(url)).toBeUndefined()
  })

  it('is listed where one name is for it', () => {
    expect(places.list().map(({ url }) => url)).toEqual(
      expect.arrayContaining([
        'https://app.example.com',
        'https://app.example.com/admin',
        'https://notes.example.com/mcp',
      ]),
    )
    expect(places.list().some(({ url }) => url.includes('*'))).toBe(false)
  })

  it('is not there when the door is closed', () => {
    const closed = placesOf({ doors: { decision: false }, forwardAuth: { resources: [{ host: 'app.example.com' }] } })
    expect(closed.find(at('https://app.example.com/'))).toBeUndefined()
    expect(closed.list()).toEqual([])
  })
})

describe('a configuration that could mean two things', () => {
  it.each([
    [[{ host: 'a.example.com' }, { host: 'a.example.com', path: '/' }], /protected twice/],
    [
      [
        { host: 'a.example.com', path: '/x' },
        { host: 'a.example.com', path: '/X/' },
      ],
      /protected twice/,
    ],
    [[{ host: 'a.example.com', path: '/a/../b' }], /plain path/],
    [[{ host: 'a.example.com', path: '/caf%C3%A9' }], /plain path/],
    [[{ host: 'a.example.com', path: '/a//b' }], /plain path/],
  ])('does not start: %j', (resources, message) => {
    expect(() => placesOf({ forwardAuth: { resources } })).toThrow(OperatorError)
    expect(() => placesOf({ forwardAuth: { resources } })).toThrow(message)
  })
})
