import { describe, expect, it } from 'vitest'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { keptAttributes } from './attributes.ts'

const person = (given: Partial<Principal>): Principal => ({ ...ANONYMOUS, kind: 'person', subject: 'ann', ...given })

describe('what the record keeps of a caller', () => {
  it('is what rules may name, and nothing where there is nothing', () => {
    expect(keptAttributes(person({}))).toEqual({})
    expect(keptAttributes(person({ groups: ['docs'], roles: ['admin'], claims: { department: 'ops' } }))).toEqual({
      groups: ['docs'],
      roles: ['admin'],
      claims: { department: 'ops' },
    })
  })

  it('is bounded, and says of what there was more', () => {
    const groups = Array.from({ length: 200 }, (_, at) => `group-${at}`)
    const kept = keptAttributes(
      person({ groups, roles: ['r'.repeat(200)], claims: { a: 1, b: 'x'.repeat(600), c: 2 } }),
    )
    expect(kept.groups).toEqual(groups.slice(0, 32))
    expect(kept).toMatchObject({ claims: { a: 1, c: 2 }, partly: ['roles', 'groups', 'claims'] })
    expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThan(2048)
  })
})
