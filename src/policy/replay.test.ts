import { describe, expect, it } from 'vitest'
import { createTally, type Replayed } from './replay.ts'

const replayed = (over: Partial<Replayed> & { says?: 'allow' | 'deny' | 'unknown' }): Replayed => {
  const { says = 'allow', ...more } = over
  const missing = says === 'unknown' ? ['who the caller was'] : []
  return {
    id: 'id',
    time: 'now',
    person: 'ann',
    what: 'a/b',
    effect: 'allow',
    verdict: { effect: says, rule: 'r', missing },
    ...more,
  }
}

describe('the tally of a replay', () => {
  it('tells what changes, by person, the most affected first', () => {
    const tally = createTally()
    tally.add(replayed({}))
    tally.add(replayed({ person: 'bob', effect: 'deny' }))
    tally.add(replayed({ says: 'deny', id: 'x' }))
    tally.add(replayed({ says: 'deny', id: 'y' }))
    tally.add(replayed({ says: 'unknown' }))
    tally.addApart()
    const report = tally.report()
    expect(report).toMatchObject({
      same: 1,
      newlyDenied: 2,
      newlyAllowed: 1,
      undecidable: 1,
      apart: 1,
      othersDiffer: 0,
    })
    expect(report.people.map(({ person }) => person)).toEqual(['ann', 'bob'])
    expect(report.people[0]?.newlyDenied.examples.map(({ id }) => id)).toEqual(['y', 'x'])
    expect(report.missing).toEqual([{ what: 'who the caller was', count: 1, example: 'id' }])
  })

  it('keeps only so much, whatever comes', () => {
    const tally = createTally()
    for (let at = 0; at < 6000; at++) tally.add(replayed({ says: 'deny', person: `person-${at}` }))
    for (let at = 0; at < 100; at++) tally.add(replayed({ says: 'deny', person: 'person-0', id: `id-${at}` }))
    const report = tally.report()
    expect(report).toMatchObject({ newlyDenied: 6100, othersDiffer: 1000 })
    expect(report.people).toHaveLength(5000)
    expect(report.people[0]).toMatchObject({ person: 'person-0', newlyDenied: { count: 101 } })
    expect(report.people[0]?.newlyDenied.examples).toHaveLength(3)
  })
})
