import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RequestError } from '../protocol/errors.ts'
import { checkOriginal, type Said, understand } from './original.ts'

const plain = (host: string) => host === 'localhost' || host.startsWith('localhost:')
const read = (said: Partial<Said>) =>
  checkOriginal({ method: 'GET', scheme: 'https', host: 'app.example.com', target: '/', ...said }, plain)

describe('what an ingress asks about', () => {
  it.each<[Partial<Said>, object]>([
    [{ target: '/a/b?c=d' }, { path: '/a/b', query: 'c=d', host: 'app.example.com', scheme: 'https' }],
    [{ target: '/admin?x=/public' }, { path: '/admin', query: 'x=/public' }],
    [{ host: 'App.Example.COM:443' }, { host: 'app.example.com' }],
    [{ host: 'app.example.com:8443' }, { host: 'app.example.com:8443' }],
    [{ host: '[2001:db8::1]:8443' }, { host: '[2001:db8::1]:8443' }],
    [{ target: '/caf%C3%A9/%20' }, { path: '/caf%C3%A9/%20' }],
    [{ scheme: 'wss' }, { scheme: 'https' }],
    [{ scheme: 'http' }, { scheme: 'https' }],
    [{ scheme: undefined }, { scheme: 'https' }],
    [{ scheme: 'https, http' }, { scheme: 'https' }],
    [
      { scheme: 'http', host: 'localhost:80' },
      { scheme: 'http', host: 'localhost' },
    ],
    [
      { scheme: 'ws', host: 'localhost:8080' },
      { scheme: 'http', host: 'localhost:8080' },
    ],
    [{ method: 'M-SEARCH' }, { method: 'M-SEARCH' }],
  ])('is read: %j', (said, original) => {
    expect(read(said)).toMatchObject(original)
  })

  it.each<Partial<Said>>([
    ...['', 'get', 'GET ', 'CONNECT', 'GET\u0000', 'G'.repeat(40)].map((method) => ({ method })),
    ...[
      '',
      'a b',
      'user@app.example.com',
      'app.example.com/x',
      'app.example.com,b',
      'app..',
      '.app',
      'app.example.com:x',
    ].map((host) => ({ host })),
    ...['evil.example#', 'app.example.com:123456', 'app_example', '\u212Aapp'].map((host) => ({ host })),
    ...[
      '',
      'admin',
      '*',
      'http://other/admin',
      'http:http://x/admin',
      '//evil',
      '/a//b',
      '/a/../b',
      '/a/./b',
      '/..',
    ].map((target) => ({ target })),
    ...['/%2e%2e/admin', '/a%2fb', '/a%5cb', '/a\\b', '/%00', '/a%252e', '/a;b', '/..;/admin', '/a%3bb', '/a#b'].map(
      (target) => ({ target }),
    ),
    ...[
      '/%61dmin',
      '/%41',
      '/%7eann',
      '/a%0d%0ab',
      '/..%20/b',
      '/...',
      '/a%7f',
      '/a%',
      '/a%4',
      '/a%zz',
      '/%c0%ae',
      '/%ff',
      '/\u00e9',
    ].map((target) => ({ target })),
  ])('is refused when it could be read in two ways: %j', (said) => {
    expect(() => read(said)).toThrow(RequestError)
  })

  it('stays letter for letter what it was, or is refused', () => {
    const piece = fc.constantFrom(...'/.%;\\?#:@&=+$,~-_aZ09 2efFcC5\u00e9', '%2f', '%2e', '%5c', '%25', '..', '//')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const target = `/${pieces.join('')}`
        try {
          const { path, query } = read({ target })
          expect(query === '' ? [path, `${path}?`] : [`${path}?${query}`]).toContain(target)
          // Whoever decodes it finds no separator, no dot segment and no letter that was not there.
          const decoded = decodeURIComponent(path)
          expect(decoded.split('/').length).toBe(path.split('/').length)
          expect(decoded.split('/')).not.toContain('..')
          expect(decoded.replace(/[^A-Za-z0-9]/g, '')).toBe(
            path.replace(/%[0-9a-f]{2}/gi, '').replace(/[^A-Za-z0-9]/g, ''),
          )
        } catch (error) {
          expect(error).toBeInstanceOf(RequestError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('what a lenient reader makes of a path', () => {
  it.each([
    ['/ADMIN', '/admin'],
    ['/%EF%BD%81dmin', '/admin'],
    ['/caf%C3%A9', '/café'],
    ['/admin%20/x', '/admin/x'],
    ['/admin.', '/admin'],
    ['/a.b/c', '/a.b/c'],
  ])('%s is %s', (path, read) => expect(understand(path)).toBe(read))
})
