// Where forms may lead, redirects included.
import { describe, expect, it } from 'vitest'
import { pageHeaders } from '../../http/page.ts'
import { formTargets } from './form-action.ts'

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
    expect(formTargets({ redirectUri })).toEqual(["'self'", source])
  })

  it.each([
    "https://a.example;script-src'unsafe-inline'/",
    'https://a,b.example/',
    'https://a_b.example/',
    "https://'self'/",
  ])('never lets the host of %s write the policy', (redirectUri) => {
    expect(formTargets({ redirectUri })).toEqual(["'self'", 'https:'])
  })

  it('leaves out what is no address', () => {
    expect(formTargets({ redirectUri: 'not an address' })).toEqual(["'self'"])
  })

  it('names the providers beside a password, and lets them redirect on where none is typed', () => {
    const providers = ['https://login.example']
    expect(formTargets({ providers, password: true })).toEqual(["'self'", 'https://login.example'])
    expect(formTargets({ providers, password: false })).toEqual(["'self'", 'https://login.example', 'https:'])
    expect(formTargets({ password: true })).toEqual(["'self'"])
  })

  it('only says what a page’s header takes', () => {
    const all = ['cursor://x', 'http://[::1]:1/', 'https://a;b/', 'http://127.0.0.1:1/', 'https://c.example/']
    for (const redirectUri of all) expect(() => pageHeaders(formTargets({ redirectUri }))).not.toThrow()
  })
})
