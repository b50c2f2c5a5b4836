// How long an address is believed, and that what was judged is what is connected to (catalogue row B6).
import type { LookupAddress } from 'node:dns'
import { beforeEach, describe, expect, it } from 'vitest'
import { createLookup } from './addresses.ts'
import { NameError, type Resolve } from './names.ts'

let now = 0
let asked: string[] = []
let answers: (readonly string[] | Error)[] = []
beforeEach(() => {
  now = 1_000_000
  asked = []
  answers = []
})

const resolve: Resolve = async (host) => {
  asked.push(host)
  const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? []
  if (answer instanceof Error) throw answer
  return answer
}
const look = (isAllowed: (address: string) => boolean = () => true) => {
  const lookup = createLookup({ resolve, isAllowed, timeout: 1000, clock: () => now })
  return (family: 0 | 4 | 6 = 0) =>
    new Promise<LookupAddress[]>((done, fail) =>
      lookup('a.example', { all: true, family }, (error, found) =>
        error === null ? done(found as LookupAddress[]) : fail(error),
      ),
    )
}
const SILENCE = new NameError('EAI_AGAIN', 'silent')

describe('a name', () => {
  it('is asked for once a minute, however many connections are opened', async () => {
    answers = [['192.0.2.1', '2001:db8::1'], ['192.0.2.2']]
    const ask = look()
    const expected = [
      { address: '192.0.2.1', family: 4 },
      { address: '2001:db8::1', family: 6 },
    ]
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([expected, expected, expected])
    now += 59_999
    expect(await ask(6)).toEqual([expected[1]])
    expect(asked).toHaveLength(1)
    now += 1
    expect(await ask()).toEqual([{ address: '192.0.2.2', family: 4 }])
    await expect(ask(6)).rejects.toMatchObject({ code: 'ENOTFOUND' })
  })

  it('one of whose addresses may not be is refused as a whole', async () => {
    const ask = look((address) => !address.startsWith('127.'))
    answers = [['192.0.2.1', '127.0.0.1']]
    await expect(ask()).rejects.toMatchObject({
      code: 'ERR_ADDRESS_REFUSED',
      message: expect.stringContaining('127.0.0.1'),
    })
    now += 60_000
    answers = [['192.0.2.1']]
    expect(await ask()).toHaveLength(1)
  })

  it('that nobody can be asked for means what it meant, for an hour', async () => {
    answers = [['192.0.2.1'], SILENCE]
    const ask = look()
    await ask()
    now += 60_000
    expect(await ask()).toHaveLength(1)
    expect(await ask()).toHaveLength(1)
    // Asked again every few seconds, and not with every connection.
    expect(asked).toHaveLength(2)
    now += 5000
    await ask()
    expect(asked).toHaveLength(3)
    now += 60 * 60_000
    await expect(ask()).rejects.toBe(SILENCE)
  })

  it('that does not exist any more is not believed on', async () => {
    answers = [['192.0.2.1'], new NameError('ENOTFOUND', 'gone')]
    const ask = look()
    await ask()
    now += 60_000
    await expect(ask()).rejects.toMatchObject({ code: 'ENOTFOUND' })
  })

  it('without an address is an error, and asked for again by the next', async () => {
    answers = [[], ['192.0.2.1']]
    const ask = look()
    await expect(ask()).rejects.toMatchObject({ code: 'ENOTFOUND' })
    now += 60_000
    expect(await ask()).toHaveLength(1)
  })
})
