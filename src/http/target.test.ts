import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RequestError } from '../protocol/errors.ts'
import { parseTarget } from './target.ts'

describe('request target, RFC 9112 §3.2', () => {
  it.each([
    ['/mcp', '/mcp', ''],
    ['/servers/a/mcp?x=1&y=%2e', '/servers/a/mcp', 'x=1&y=%2e'],
    ['/?', '/', ''],
    ['/a;x', '/a;x', ''],
    ['/a%20b', '/a%20b', ''],
  ])('takes %s', (raw, path, query) => {
    expect(parseTarget(raw)).toEqual({ path, query })
  })
  it.each([
    'http://other/admin',
    'http:http://x/admin',
    'admin',
    '*',
    '//evil/x',
    '/a//b',
    '/a/../b',
    '/..',
    '/a/.',
    '/public/%2e%2e/admin',
    '/a%2Fb',
    '/a%5cb',
    '/a\\b',
    '/a%00',
    '/a#b',
    '/a\u0085b',
    '/a b',
    '/%252e%252e/',
    '/a?x"y',
    '',
  ])('refuses %j', (raw) => {
    expect(() => parseTarget(raw)).toThrow(RequestError)
  })
  it('refuses what is longer than 8 KB with 414', () => {
    expect(() => parseTarget(`/${'a'.repeat(9000)}`)).toThrow(expect.objectContaining({ status: 414 }))
  })
  it('answers the path that WHATWG URL would keep, or refuses: nothing is normalised after the decision', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('/', '.', '%2e', '%2F', 'a', '\\', ';', '?', '#', '%', '..', '//'), { maxLength: 12 }),
        (parts) => {
          const raw = `/${parts.join('')}`
          try {
            expect(new URL(`http://h${raw}`).pathname).toBe(parseTarget(raw).path)
          } catch (error) {
            expect(error).toBeInstanceOf(RequestError)
          }
        },
      ),
      { numRuns: 5000 },
    )
  })
})
