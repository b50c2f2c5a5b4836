// Cookies: what a browser may send, and what the prefixes promise.
import { describe, expect, it } from 'vitest'
import { hostCookieName, parseCookies, serialiseCookie } from './cookies.ts'

describe('parseCookies', () => {
  it('reads name and value', () => {
    expect([...parseCookies('a=1; __Host-b=x.y_z-0')]).toEqual([
      ['a', '1'],
      ['__Host-b', 'x.y_z-0'],
    ])
  })

  it('is empty without a header', () => {
    expect(parseCookies(undefined).size).toBe(0)
  })

  it('leaves out a name that comes twice, and keeps its neighbour', () => {
    expect([...parseCookies('a=ours; b=2; a=planted')]).toEqual([['b', '2']])
    expect(parseCookies('a=1; a=2; a=3').has('a')).toBe(false)
  })

  it.each(['no-equals', 'a b=1', 'a=b c', 'a="q"', 'a=b\\c', 'a=é'])('ignores %s', (header) => {
    expect(parseCookies(header).size).toBe(0)
  })

  it('keeps names such as __proto__ as plain names', () => {
    expect(parseCookies('__proto__=1').get('__proto__')).toBe('1')
    expect(Object.hasOwn(Object.prototype, '1')).toBe(false)
  })
})

describe('serialiseCookie', () => {
  it('writes HttpOnly and SameSite=Lax without being asked', () => {
    expect(serialiseCookie({ name: '__Host-a', value: 'v', secure: true, path: '/', maxAge: 600 })).toBe(
      '__Host-a=v; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure',
    )
    expect(serialiseCookie({ name: 'a', value: '', secure: false, path: '/x', maxAge: 0, sameSite: 'Strict' })).toBe(
      'a=; Path=/x; Max-Age=0; HttpOnly; SameSite=Strict',
    )
  })

  it.each([
    ['__Host- without Secure', { name: '__Host-a', secure: false, path: '/' }],
    ['__Host- below the root', { name: '__Host-a', secure: true, path: '/x' }],
    ['__host- in another case', { name: '__host-a', secure: false, path: '/' }],
    ['__Secure- without Secure', { name: '__Secure-a', secure: false, path: '/x' }],
    ['a name with a separator', { name: 'a;b', secure: true, path: '/' }],
    ['a path that ends the attribute', { name: 'a', secure: true, path: '/;Domain=evil' }],
  ])('refuses %s', (_, cookie) => {
    expect(() => serialiseCookie({ value: 'v', ...cookie })).toThrow(TypeError)
  })

  it.each(['a;b', 'a b', 'a\r\nb', '"', 'é'])('refuses the value %j', (value) => {
    expect(() => serialiseCookie({ name: 'a', value, secure: true, path: '/' })).toThrow(TypeError)
  })
})

describe('hostCookieName', () => {
  it('has the prefix only where cookies can be Secure', () => {
    expect(hostCookieName('a', true)).toBe('__Host-a')
    expect(hostCookieName('a', false)).toBe('a')
  })
})
