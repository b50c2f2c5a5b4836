// Where forms may lead, redirects included.
import { describe, expect, it } from 'vitest'
import { pageHeaders } from '../../http/page.ts'
import { formTargets } from './form-action.ts'

interface Bend {
  readonly redirectUri?: string
  readonly kind?: 'registered' | 'gateway'
  readonly providers?: readonly string[]
  readonly leadsOn?: boolean
  readonly password?: boolean
}

function targetsOf({ redirectUri = 'none', kind = 'registered', ...journey }: Bend) {
  const client = { id: 'c', name: 'c', kind, documentHost: undefined }
  return formTargets({ interaction: { redirectUri, client }, ...journey })
}

describe('formTargets', () => {
  it.each([
    ['https://client.example/back?x=1', 'https://client.example'],
    ['https://client.example:8443/', 'https://client.example:8443'],
    ['http://127.0.0.1:33418/callback', 'http://127.0.0.1:33418'],
    ['http://localhost/', 'http://localhost'],
    ['cursor://anysphere.cursor/oauth', 'cursor:'],
    ['com.example.app:/oauth', 'com.example.app:'],
    // CSP cannot write an IPv6 host.
    ['http://[::1]:8080/', 'http:'],
    ['https://xn--bcher-kva.example/', 'https://xn--bcher-kva.example'],
  ])('lets %s end at %s', (redirectUri, source) => {
    expect(targetsOf({ redirectUri })).toEqual(["'self'", source])
  })

  it.each([
    "https://a.example;script-src'unsafe-inline'/",
    'https://a,b.example/',
    'https://a_b.example/',
    "https://'self'/",
  ])('never lets the host of %s write the policy', (redirectUri) => {
    expect(targetsOf({ redirectUri })).toEqual(["'self'", 'https:'])
  })

  it('leaves out what is no address', () => {
    expect(targetsOf({ redirectUri: 'not an address' })).toEqual(["'self'"])
  })

  it('names the providers beside a password, and lets them redirect on where none is typed', () => {
    const providers = ['https://login.example']
    expect(targetsOf({ providers, password: true })).toEqual(["'self'", 'https://login.example'])
    expect(targetsOf({ providers, password: false })).toEqual(["'self'", 'https://login.example', 'https:'])
    expect(targetsOf({ providers, password: true, leadsOn: true })).toContain('https:')
    expect(targetsOf({ password: true })).toEqual(["'self'"])
  })

  it('cannot know where another gateway sends the browser on to', () => {
    expect(targetsOf({ redirectUri: 'https://gateway.example/cb', kind: 'gateway', password: true })).toBe('anywhere')
  })

  it('only says what a page’s header takes', () => {
    const all = ['cursor://x', 'http://[::1]:1/', 'https://a;b/', 'http://127.0.0.1:1/', 'https://c.example/']
    for (const redirectUri of all) expect(() => pageHeaders(targetsOf({ redirectUri }))).not.toThrow()
  })
})
