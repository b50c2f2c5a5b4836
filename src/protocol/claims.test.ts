// Claims by path: nothing that an object inherits is one.
import { describe, expect, it } from 'vitest'
import { claimAt } from './claims.ts'

describe('claimAt', () => {
  it('walks a path, and prefers a claim that is named like the whole path', () => {
    expect(claimAt({ realm_access: { roles: ['a'] } }, 'realm_access.roles')).toEqual(['a'])
    expect(claimAt({ 'https://x.example/groups': ['b'] }, 'https://x.example/groups')).toEqual(['b'])
  })

  it.each(['__proto__', 'constructor.prototype', 'toString', 'a.length', 'a.0', 'b.c'])(
    'finds nothing at %s',
    (path) => {
      expect(claimAt({ a: ['x'], b: 'text' }, path)).toBeUndefined()
    },
  )

  it('is not fooled by a __proto__ in the token', () => {
    const claims = JSON.parse('{"__proto__":{"groups":["admin"]}}') as Record<string, unknown>
    expect(claimAt(claims, 'groups')).toBeUndefined()
    expect(({} as Record<string, unknown>)['groups']).toBeUndefined()
  })
})
