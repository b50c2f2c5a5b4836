import { describe, expect, it } from 'vitest'
import { type Had, held, heldEach } from './held.ts'

function start() {
  const time = { now: 1000 }
  const failures: unknown[] = []
  const asked: PromiseWithResolvers<Had<string>>[] = []
  const needs = { clock: () => time.now, onFailure: (error: unknown) => failures.push(error) }
  const ask = () => {
    const asking = Promise.withResolvers<Had<string>>()
    asked.push(asking)
    return asking.promise
  }
  const give = (value: string) => asked.at(-1)?.resolve({ value, renewAt: time.now + 900, endsAt: time.now + 1000 })
  return { time, failures, asked, needs, ask, give, one: held<string>(needs) }
}

describe('what is held', () => {
  it('is asked for once, however many wait', async () => {
    const { one, ask, asked, give } = start()
    const waiting = Array.from({ length: 50 }, () => one.get(ask))
    give('first')
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['first']))
    expect(asked).toHaveLength(1)
    expect(one.get(ask)).toBe('first')
  })

  it('is asked for anew ahead of its end, and used until then', async () => {
    const { one, ask, asked, give, time } = start()
    const first = one.get(ask)
    give('first')
    await first
    time.now += 950
    expect([one.get(ask), one.get(ask)]).toEqual(['first', 'first'])
    expect(asked).toHaveLength(2)
    give('second')
    await asked[1]?.promise
    await expect.poll(() => one.get(ask)).toBe('second')
  })

  it('is used to its end where a new one does not come, and no longer', async () => {
    const { one, ask, asked, give, time, failures } = start()
    const first = one.get(ask)
    give('first')
    await first
    time.now += 950
    expect(one.get(ask)).toBe('first')
    asked[1]?.reject(new Error('down'))
    await expect.poll(() => failures).toHaveLength(1)
    expect(one.get(ask)).toBe('first')
    expect(asked).toHaveLength(2)
    time.now += 50
    await expect(one.get(ask)).rejects.toThrow('down')
    time.now += 2000
    const again = one.get(ask)
    give('second')
    expect(await again).toBe('second')
  })

  it('fails for everybody who comes at once, with one question', async () => {
    const { one, ask, asked } = start()
    const waiting = Array.from({ length: 10 }, () => one.get(ask))
    asked[0]?.reject(new Error('no'))
    for (const got of waiting) await expect(got).rejects.toThrow('no')
    await expect(one.get(ask)).rejects.toThrow('no')
    expect(asked).toHaveLength(1)
  })
})

describe('what was refused', () => {
  it('is had anew once, for all who were refused it', async () => {
    const { one, ask, asked, give } = start()
    const first = one.get(ask)
    give('first')
    await first
    const replacing = Array.from({ length: 5 }, () => one.replace('first', ask))
    give('second')
    expect(new Set(await Promise.all(replacing))).toEqual(new Set(['second']))
    expect(asked).toHaveLength(2)
  })

  it('and refused at once again, is not: the next time it is', async () => {
    const { one, ask, give, time } = start()
    const first = one.get(ask)
    give('first')
    await first
    const second = one.replace('first', ask)
    give('second')
    await second
    expect(await one.replace('second', ask)).toBeUndefined()
    expect(one.get(ask)).toBe('second')
    time.now += 10_000
    const third = one.replace('second', ask)
    give('third')
    expect(await third).toBe('third')
  })
})

describe('each', () => {
  it('has its own, and what has ended goes first', async () => {
    const { needs, ask, give, time } = start()
    const each = heldEach<string>(needs, 2)
    const ann = each('ann').get(ask)
    give('of ann')
    await ann
    time.now += 500
    const bob = each('bob').get(ask)
    give('of bob')
    await bob
    expect([each('ann').get(ask), each('bob').get(ask)]).toEqual(['of ann', 'of bob'])
    time.now += 500
    const eve = each('eve').get(ask)
    give('of eve')
    await eve
    expect(each('bob').get(ask)).toBe('of bob')
    const again = each('ann').get(ask)
    give('of ann, again')
    expect(await again).toBe('of ann, again')
  })
})
