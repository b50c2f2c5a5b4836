import { describe, expect, it } from 'vitest'
import {
  checkRedirectUri,
  extensionOf,
  isTrustedHost,
  RedirectUriError,
  redirectKind,
  withoutLoopbackPort,
} from './redirect-uri.ts'

const reasonOf = (uri: string, trusted: readonly string[] = []): string => {
  try {
    return `accepted as ${checkRedirectUri(uri, trusted)}`
  } catch (error) {
    return error instanceof RedirectUriError ? error.reason : String(error)
  }
}

describe('redirect URIs at registration', () => {
  it.each([
    ['https://client.example/cb', 'web'],
    ['https://client.example', 'web'],
    ['https://client.example/cb?tenant=1', 'web'],
    ['http://127.0.0.1/cb', 'loopback'],
    ['http://127.0.0.1:39333/callback', 'loopback'],
    ['http://localhost:3334/oauth/callback', 'loopback'],
    ['http://[::1]:8080/cb', 'loopback'],
    ['com.example.app:/cb', 'scheme'],
    ['cursor://anysphere.cursor-retrieval/oauth/callback', 'scheme'],
    ['vscode://vscode.github-authentication/did-authenticate', 'scheme'],
  ])('%s is %s', (uri, kind) => {
    expect(checkRedirectUri(uri)).toBe(kind)
    expect(redirectKind(uri)).toBe(kind)
  })

  it.each([
    ['javascript:alert(1)', 'active_scheme'],
    ['JaVaScRiPt:alert(1)', 'active_scheme'],
    ['data:text/html,x', 'active_scheme'],
    ['vbscript:x', 'active_scheme'],
    ['file:///etc/passwd', 'active_scheme'],
    ['https://client.example/cb#x', 'fragment'],
    ['https://client.example/cb#', 'fragment'],
    ['http://client.example/cb', 'plain_http'],
    ['http://127.0.0.1.evil.example/cb', 'plain_http'],
    ['http://localhost@evil.example/cb', 'userinfo'],
    ['https://user:pw@client.example/cb', 'userinfo'],
    ['https://localhost/cb', 'https_loopback'],
    ['https://client.example/a/../cb', 'spelling'],
    ['https://client.example/./cb', 'spelling'],
    ['https://client.example/%2e%2e/cb', 'spelling'],
    ['https://client.example/a%2fb', 'encoding'],
    ['https://client.example/a%0d%0ab', 'encoding'],
    ['https://client.example\\@evil.example/', 'characters'],
    ['https://client.example/c b', 'characters'],
    ['https://client.example/\tcb', 'characters'],
    ['https://client.example/\r\nLocation:', 'characters'],
    ['https://exämple.com/cb', 'characters'],
    ['https://CLIENT.example/cb', 'spelling'],
    ['https://client.example:443/cb', 'spelling'],
    ['http://127.1/cb', 'spelling'],
    ['http://2130706433/cb', 'spelling'],
    ['https://client.example/cb?code=x&state=y&iss=z', 'answer_parameter'],
    ['https://client.example/cb?a=1&error=x', 'answer_parameter'],
    ['myapp://cb', 'unknown_scheme'],
    ['urn:ietf:wg:oauth:2.0:oob', 'unknown_scheme'],
    ['/cb', 'syntax'],
    ['', 'characters'],
    [`https://client.example/${'a'.repeat(2050)}`, 'characters'],
  ])('%s is refused: %s', (uri, reason) => expect(reasonOf(uri)).toBe(reason))

  it('are held to the trusted hosts, loopback and apps excepted', () => {
    const trusted = ['client.example', '*.corp.example']
    expect(reasonOf('https://client.example/cb', trusted)).toBe('accepted as web')
    expect(reasonOf('https://a.corp.example/cb', trusted)).toBe('accepted as web')
    expect(reasonOf('https://corp.example/cb', trusted)).toBe('untrusted_host')
    expect(reasonOf('https://evilcorp.example/cb', trusted)).toBe('untrusted_host')
    expect(reasonOf('https://client.example.evil.example/cb', trusted)).toBe('untrusted_host')
    expect(reasonOf('http://localhost/cb', trusted)).toBe('accepted as loopback')
    expect(reasonOf('cursor://x/cb', trusted)).toBe('accepted as scheme')
    expect(isTrustedHost('.corp.example', trusted)).toBe(false)
  })

  it('RFC 8252 §7.3: the loopback port is no part of what was allowed', () => {
    expect(withoutLoopbackPort('http://127.0.0.1:41234/cb?x=1')).toBe('http://127.0.0.1/cb?x=1')
    expect(withoutLoopbackPort('https://client.example:8443/cb')).toBe('https://client.example:8443/cb')
    expect(withoutLoopbackPort('cursor://app:1/cb')).toBe('cursor://app:1/cb')
  })
})

describe('the extension that gets the answer', () => {
  it.each([
    ['vscode://evil.ext/cb', 'evil.ext'],
    ['cursor://anysphere.cursor-mcp/oauth/callback', 'anysphere.cursor-mcp'],
    ['vscode-insiders://Publisher.Name?x=1', 'Publisher.Name'],
    ['vscode:/cb', undefined],
    ['raycast://extensions/evil', undefined],
    ['com.evil.app://accounts.google.com/cb', undefined],
    ['https://vscode.dev/redirect', undefined],
    ['http://localhost:33418/', undefined],
    ['not an address', undefined],
  ])('of %s is %s', (uri, extension) => {
    expect(extensionOf(uri)).toBe(extension)
  })
})
