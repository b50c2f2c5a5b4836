// Whose question it is: nobody says, so the oldest call whose caller can answer is asked, and the next when that one was not it.
import { expect, it } from 'vitest'
import type { RpcMessage, RpcResponse } from '../../protocol/jsonrpc.ts'
import type { Ask } from '../upstream.ts'
import { createQuestions } from './questions.ts'

function start() {
  const calls: { ask: Ask | undefined; ended: AbortSignal }[] = []
  const told: RpcMessage[] = []
  const questions = createQuestions({ pending: () => calls, tell: (message) => told.push(message) })
  /** A call under way, what it was asked, and how it ends. */
  const call = (answers: 'now' | 'never' | 'cannot' | 'fails') => {
    const end = new AbortController()
    const asked: AbortSignal[] = []
    const ask: Ask = ({ id }, signal) => {
      if (answers === 'cannot') return undefined
      asked.push(signal)
      if (answers === 'fails') return Promise.reject(new Error('broken'))
      const answer: RpcResponse = { jsonrpc: '2.0', id, result: { by: calls.indexOf(entry) } }
      return answers === 'now' ? Promise.resolve(answer) : new Promise(() => undefined)
    }
    const entry = { ask, ended: end.signal }
    calls.push(entry)
    return {
      asked,
      end() {
        calls.splice(calls.indexOf(entry), 1)
        end.abort()
      },
    }
  }
  const ask = (id: string | number = 'q', method = 'roots/list') => questions.accept({ jsonrpc: '2.0', id, method })
  return { questions, told, call, ask }
}

/** All that is settled has been told. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

it('goes to the oldest who can answer', async () => {
  const { told, call, ask } = start()
  call('cannot')
  call('now')
  const later = call('now')
  ask()
  await settled()
  expect(told).toEqual([{ jsonrpc: '2.0', id: 'q', result: { by: 1 } }])
  expect(later.asked).toEqual([])
})

it('goes on to the next when the call it was put to has ended without an answer to it', async () => {
  const { told, call, ask } = start()
  const first = call('never')
  const second = call('never')
  ask()
  first.end()
  await settled()
  expect(first.asked[0]?.aborted).toBe(true)
  expect(second.asked).toHaveLength(1)
  expect(told).toEqual([])
  second.end()
  await settled()
  expect(told).toEqual([{ jsonrpc: '2.0', id: 'q', error: { code: -32601, message: expect.any(String) } }])
})

it('is refused where nobody can answer, and ping is ours', async () => {
  const { told, call, ask } = start()
  call('cannot')
  ask('p', 'ping')
  ask('q')
  await settled()
  expect(told).toMatchObject([
    { id: 'p', result: {} },
    { id: 'q', error: { code: -32601 } },
  ])
})

it('that fails on our side is answered all the same', async () => {
  const { told, call, ask } = start()
  call('fails')
  ask()
  await settled()
  expect(told).toMatchObject([{ id: 'q', error: { code: -32603 } }])
})

it('that the server takes back has no answer, and its caller hears of it', async () => {
  const { questions, told, call, ask } = start()
  const waiting = call('never')
  ask('q')
  questions.withdraw('another')
  questions.withdraw('q')
  await settled()
  expect(waiting.asked.map(({ aborted }) => aborted)).toEqual([true])
  expect(told).toEqual([])
})

it('is not asked twice under one id, nor more often than can be kept', async () => {
  const { told, call, ask } = start()
  const waiting = call('never')
  for (let id = 0; id < 70; id += 1) ask(id)
  ask(0)
  await settled()
  expect(waiting.asked).toHaveLength(64)
  expect(told).toHaveLength(7)
  expect(told.every((message) => 'error' in message && message.error?.code === -32600)).toBe(true)
})
