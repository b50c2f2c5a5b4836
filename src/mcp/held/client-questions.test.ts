import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { RpcRequest } from '../../protocol/jsonrpc.ts'
import { createClientQuestions } from './client-questions.ts'

const KEY = { key: randomBytes(32) }
const ANN = { subject: 'ann', session: 'session of Ann', whose: 'ann' }
const QUESTION: RpcRequest = { jsonrpc: '2.0', id: 'theirs', method: 'roots/list', params: { x: 1 } }
const RESULT = { roots: [] }
const yes = () => true

function setup() {
  const state = { now: 1000, open: true }
  const said: Record<string, unknown>[] = []
  const stream = { isOpen: () => state.open, say: (message: object) => void said.push({ ...message }) }
  const questions = createClientQuestions({ sealKeys: () => [KEY], self: 'boot', clock: () => state.now })
  const until = new AbortController()
  return { state, said, stream, questions, until, ask: questions.askOn(ANN, stream, yes) }
}
const idOf = (message: Record<string, unknown> | undefined): string => String(message?.['id'])
const answer = (id: string) => ({ jsonrpc: '2.0' as const, id, result: RESULT })

afterEach(() => void vi.useRealTimers())

describe('a question to a client of the handshake era', () => {
  it('goes out under an id of ours, and its answer comes back under the server’s', async () => {
    const { ask, said, questions, until } = setup()
    const answered = ask(QUESTION, until.signal)
    expect(said).toEqual([{ jsonrpc: '2.0', id: expect.any(String), method: 'roots/list', params: { x: 1 } }])
    expect(idOf(said[0])).not.toContain('theirs')
    expect(questions.answer(ANN, answer(idOf(said[0])))).toBe(true)
    expect(await answered).toEqual({ jsonrpc: '2.0', id: 'theirs', result: RESULT })
  })

  it('is answered once, and by whom it was asked', async () => {
    const { ask, said, questions, until } = setup()
    const answered = ask(QUESTION, until.signal)
    const id = idOf(said[0])
    expect(questions.answer({ ...ANN, subject: 'bob' }, answer(id))).toBe(false)
    expect(questions.answer({ ...ANN, session: 'another' }, answer(id))).toBe(false)
    const forged = `${id.slice(0, -4)}${id.at(-4) === 'A' ? 'B' : 'A'}${id.slice(-3)}`
    expect(questions.answer(ANN, answer(forged))).toBe(false)
    expect(questions.ownerOf(ANN, id)).toBe('boot')
    expect(questions.ownerOf({ ...ANN, subject: 'bob' }, id)).toBeUndefined()
    expect([questions.answer(ANN, answer(id)), questions.answer(ANN, answer(id))]).toEqual([true, false])
    await answered
  })

  it('is not put where it may not be, or where nobody hears it', () => {
    const { questions, stream, state, said, until, ask } = setup()
    expect(questions.askOn(ANN, stream, () => false)(QUESTION, until.signal)).toBeUndefined()
    expect(ask(QUESTION, AbortSignal.abort())).toBeUndefined()
    state.open = false
    expect(ask(QUESTION, until.signal)).toBeUndefined()
    expect(said).toEqual([])
  })

  it('takes no more than its own places of one person: another is asked all the same', async () => {
    const { questions, stream, until, said } = setup()
    const [ask, another] = ['session of Ann', 'her other one'].map((session) =>
      questions.askOn({ ...ANN, session }, stream, yes),
    )
    const open = Array.from({ length: 32 }, () => [ask?.(QUESTION, until.signal), another?.(QUESTION, until.signal)])
    expect(open.flat()).not.toContain(undefined)
    expect(ask?.(QUESTION, until.signal)).toBeUndefined()
    const ofBob = questions.askOn({ subject: 'bob', session: 'of Bob', whose: 'bob' }, stream, yes)
    expect(ofBob(QUESTION, until.signal)).toBeDefined()
    questions.answer(ANN, answer(idOf(said[0])))
    await open[0]?.[0]
    expect(ask?.(QUESTION, until.signal)).toBeDefined()
  })

  it('counts among those of the same network, where nobody has signed in', () => {
    const { questions, stream, until } = setup()
    const from = (whose: string) => questions.askOn({ subject: 'anonymous', session: 'one', whose }, stream, yes)
    const [here, there] = [from('anonymous 192.0.2.1'), from('anonymous 192.0.2.2')]
    for (let at = 0; at < 64; at++) expect(here(QUESTION, until.signal)).toBeDefined()
    expect(here(QUESTION, until.signal)).toBeUndefined()
    expect(there(QUESTION, until.signal)).toBeDefined()
    until.abort()
  })

  it('that is taken back is taken back from the client', async () => {
    const { ask, said, questions, until } = setup()
    const answered = ask(QUESTION, until.signal)
    until.abort()
    expect(await answered).toMatchObject({ id: 'theirs', error: { code: -32603 } })
    expect(said[1]).toMatchObject({ method: 'notifications/cancelled', params: { requestId: idOf(said[0]) } })
    expect(questions.answer(ANN, answer(idOf(said[0])))).toBe(false)
  })

  it('is not waited for without end', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { ask, until, said, questions, state } = setup()
    const answered = ask(QUESTION, until.signal)
    vi.advanceTimersByTime(5 * 60_000)
    expect(await answered).toMatchObject({ error: { message: 'The client did not answer in time.' } })
    state.now += 5 * 60_000
    expect(questions.ownerOf(ANN, idOf(said[0]))).toBeUndefined()
  })
})
