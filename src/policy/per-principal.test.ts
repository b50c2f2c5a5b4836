import { describe, expect, it } from 'vitest'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { perPrincipal } from './per-principal.ts'

const person = (subject: string): Principal => ({ ...ANONYMOUS, kind: 'person', subject })

function counted(most?: number) {
  const asked: string[] = []
  const recall = perPrincipal((server, { subject }) => {
    asked.push(`${subject} at ${server}`)
    return asked.length
  }, most)
  return { asked, recall }
}

describe('what is said of a principal on a server', () => {
  it('is found once, for each server and each principal', () => {
    const { asked, recall } = counted()
    const [ann, bob] = [person('ann'), person('bob')]
    expect([recall('a', ann), recall('a', ann), recall('b', ann), recall('a', bob), recall('a', ann)]).toEqual([
      1, 1, 2, 3, 1,
    ])
    expect(asked).toEqual(['ann at a', 'ann at b', 'bob at a'])
  })

  it('is found anew for another object that says the same: who they are may have been looked up anew', () => {
    const { asked, recall } = counted()
    recall('a', person('ann'))
    recall('a', person('ann'))
    expect(asked).toHaveLength(2)
  })

  it.each([{ beside: 'bob' }, { capabilities: {} }])('is not kept of what was made for one request: %j', (narrowed) => {
    const { asked, recall } = counted()
    const ann = { ...person('ann'), ...narrowed }
    expect([recall('a', ann), recall('a', ann)]).toEqual([1, 2])
    expect(asked).toHaveLength(2)
  })

  it('is kept of so many pairs and no more, whoever asks: one person may hold thousands of tokens', () => {
    const { asked, recall } = counted(4)
    const ann = person('ann')
    for (const server of ['a', 'b', 'c', 'd']) recall(server, ann)
    for (const server of ['a', 'b', 'c', 'd']) recall(server, ann)
    expect(asked).toHaveLength(4)
    const bob = person('bob')
    recall('a', bob)
    expect(recall('a', ann)).toBe(6)
    // Kept again from here on.
    expect(recall('a', ann)).toBe(6)
    expect(recall('a', bob)).toBe(5)
  })
})
