import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createQuestions, restoreId } from './questions.ts'

function open(key = randomBytes(32)) {
  const seen = new Set<string>()
  const clock = { now: 1_000_000 }
  const questions = createQuestions({
    sealKeys: () => [{ key }],
    marks: {
      async markSeen(mark) {
        return seen.size < seen.add(mark).size
      },
      isSeen: async (mark) => seen.has(mark),
    },
    now: () => clock.now,
  })
  return { questions, clock, key }
}

const ann = { subject: 'ann', session: 's1' }
const asked = { server: 'github', session: 'upstream-1', revision: '2025-11-25', id: 7 }

describe('the id of a question', () => {
  it('brings the answer back to the server, session and id that asked', async () => {
    const { questions } = open()
    const [one, two] = [questions.seal(ann, asked), questions.seal(ann, { ...asked, server: 'files', id: '7' })]
    expect(one).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(Buffer.from(one, 'base64url').toString('latin1')).not.toContain('upstream-1')
    expect(await questions.consume(ann, two)).toEqual({ ...asked, server: 'files', id: '7' })
    expect(await questions.consume(ann, one)).toEqual(asked)
  })

  it('is nothing to anyone else, in another session, changed, made up, or a second time (rows E12, E14, E37)', async () => {
    const { questions } = open()
    const sealed = questions.seal(ann, asked)
    expect(await questions.consume({ ...ann, subject: 'bob' }, sealed)).toBeUndefined()
    expect(await questions.consume({ ...ann, session: 's2' }, sealed)).toBeUndefined()
    const flipped = `${sealed[0] === 'A' ? 'B' : 'A'}${sealed.slice(1)}`
    expect(await questions.consume(ann, flipped)).toBeUndefined()
    for (const made of [7, '7', '', 'x'.repeat(100), open().questions.seal(ann, asked)])
      expect(await questions.consume(ann, made)).toBeUndefined()
    expect(await questions.consume(ann, sealed)).toEqual(asked)
    expect(await questions.consume(ann, sealed)).toBeUndefined()
  })

  it('is forgotten after an hour', async () => {
    const { questions, clock } = open()
    const [late, early] = [questions.seal(ann, asked), questions.seal(ann, asked)]
    clock.now += 3_599_999
    expect(await questions.consume(ann, early)).toEqual(asked)
    clock.now += 1
    expect(await questions.consume(ann, late)).toBeUndefined()
  })

  it('opens on another replica, which shares the key', async () => {
    const here = open()
    const there = open(here.key)
    expect(await there.questions.consume(ann, here.questions.seal(ann, asked))).toEqual(asked)
  })

  it('is remembered for a server that takes its question back, until it is answered', async () => {
    const { questions } = open()
    const sealed = questions.seal(ann, asked)
    expect(questions.sealed(ann, asked)).toBe(sealed)
    expect(questions.sealed({ ...ann, session: 's2' }, asked)).toBeUndefined()
    expect(questions.sealed(ann, { ...asked, server: 'files' })).toBeUndefined()
    await questions.consume(ann, sealed)
    expect(questions.sealed(ann, asked)).toBeUndefined()
  })
})

describe('the answer of a client', () => {
  it('reaches the server as it was written, under the server’s id', () => {
    const body = Buffer.from('{"jsonrpc":"2.0", "id":"sealed" ,"result":{"big":12345678901234567890,"x":"é"}}')
    const text = '{"jsonrpc":"2.0", "id":7 ,"result":{"big":12345678901234567890,"x":"é"}}'
    expect(restoreId(body, 'sealed', 7).toString()).toBe(text)
    expect(restoreId(Buffer.from('{"id":"sealed"}'), 'sealed', 'a"b').toString()).toBe('{"id":"a\\"b"}')
  })

  it('is refused where its id is spelled otherwise, or stands twice', () => {
    expect(() => restoreId(Buffer.from('{"id":"se\\u0061led"}'), 'sealed', 7)).toThrow('not written as it was sent')
    expect(() => restoreId(Buffer.from('{"result":"sealed","id":"sealed"}'), 'sealed', 7)).toThrow('not written')
  })
})
