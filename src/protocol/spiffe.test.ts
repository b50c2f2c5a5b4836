import { expect, it } from 'vitest'
import { parseSpiffeId } from './spiffe.ts'

it.each([
  'spiffe://example.org/payments/web-fe',
  'spiffe://example.org/ns/staging/sa/default',
  'spiffe://example.org/9eebccd2-12bf-40a6-b262-65fe0487d453',
  'spiffe://prod_1.example-a.org/A.b_c-d/...',
  'spiffe://example.org',
  `spiffe://example.org/${'a'.repeat(2027)}`,
])('is an id: %s', (text) => {
  expect(parseSpiffeId(text)).toBe(text)
})

it.each([
  ['no trust domain', 'spiffe:///path'],
  ['another scheme', 'https://example.org/path'],
  ['a scheme in capitals', 'SPIFFE://example.org/path'],
  ['a trust domain in capitals', 'spiffe://Example.org/path'],
  ['a port', 'spiffe://example.org:8443/path'],
  ['a user', 'spiffe://admin@example.org/path'],
  ['a query', 'spiffe://example.org/path?admin'],
  ['a fragment', 'spiffe://example.org/path#admin'],
  ['an encoded letter', 'spiffe://example.org/p%61th'],
  ['an encoded trust domain', 'spiffe://example%2eorg/path'],
  ['a slash at the end', 'spiffe://example.org/path/'],
  ['an empty segment', 'spiffe://example.org//path'],
  ['a relative segment', 'spiffe://example.org/a/../b'],
  ['a dot segment', 'spiffe://example.org/./b'],
  ['a blank', 'spiffe://example.org/a b'],
  ['a line break', 'spiffe://example.org/a\n'],
  ['NUL', 'spiffe://example.org/a\0'],
  ['a letter beyond ASCII', 'spiffe://example.org/ä'],
  ['a trust domain of 256 letters', `spiffe://${'a'.repeat(256)}/x`],
  ['more than 2048 letters', `spiffe://example.org/${'a'.repeat(2028)}`],
])('is none: %s', (_what, text) => {
  expect(parseSpiffeId(text)).toBeUndefined()
})
