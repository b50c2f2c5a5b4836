import { expect, it } from 'vitest'
import { createRunning } from './running.ts'

const request = (id: number | string, token?: unknown) =>
  token === undefined ? { id } : { id, params: { _meta: { progressToken: token } } }

it('cancels the call of the very session, and no other that has the same id (row E37)', () => {
  const running = createRunning()
  const cancelled: string[] = []
  const call = (server: string) => ({ server, cancel: () => void cancelled.push(server) })
  const end = running.begin('s1', request(1), call('a'))
  running.begin('s2', request(1), call('b'))
  expect(running.cancel('s3', 1)).toBe(false)
  expect(running.cancel('s1', '1')).toBe(false)
  expect(running.cancel('s1', undefined)).toBe(false)
  expect(cancelled).toEqual([])
  expect(running.cancel('s1', 1)).toBe(true)
  expect(cancelled).toEqual(['a'])
  end()
  expect(running.cancel('s1', 1)).toBe(false)
  expect(running.cancel('s2', 1)).toBe(true)
})

it('takes an id once at a time', () => {
  const running = createRunning()
  const call = { server: 'a', cancel: () => undefined }
  const end = running.begin('s1', request(1), call)
  expect(() => running.begin('s1', request(1), call)).toThrow('This id is in use.')
  running.begin('s1', request('1'), call)
  end()
  end()
  running.begin('s1', request(1), call)
})

it('knows progress by session, server and token', () => {
  const running = createRunning()
  const end = running.begin('s1', request(1, 'p'), { server: 'a', cancel: () => undefined })
  running.begin('s1', request(2), { server: 'a', cancel: () => undefined })
  expect(running.isProgressOf('s1', 'a', 'p')).toBe(true)
  expect(running.isProgressOf('s1', 'b', 'p')).toBe(false)
  expect(running.isProgressOf('s2', 'a', 'p')).toBe(false)
  expect(running.isProgressOf('s1', 'a', undefined)).toBe(false)
  end()
  expect(running.isProgressOf('s1', 'a', 'p')).toBe(false)
})

it('ends what runs with the session', () => {
  const running = createRunning()
  let cancelled = 0
  const end = running.begin('s1', request(1), { server: 'a', cancel: () => void cancelled++ })
  running.end('s1')
  end()
  expect(cancelled).toBe(1)
  expect(running.cancel('s1', 1)).toBe(false)
})
