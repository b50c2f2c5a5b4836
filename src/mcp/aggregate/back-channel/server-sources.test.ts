import { expect, it } from 'vitest'
import { shareSource } from './server-sources.ts'
import type { Hear, Source } from './sources.ts'

/** A source that does what the test says; one entry for each time it was opened. */
function script() {
  const runs: { hear: Hear; signal: AbortSignal; open(): void; end(): void; fail(error: Error): void }[] = []
  const source: Source = {
    server: 'a',
    key: 'lists',
    own: false,
    place: undefined,
    run(hear, signal, onOpen) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      runs.push({ hear, signal, open: () => onOpen?.(), end: resolve, fail: reject })
      return promise
    },
  }
  const shared = shareSource(source)
  const listen = () => {
    const stop = new AbortController()
    const heard: unknown[] = []
    const state = { opened: 0, over: false }
    const done = shared
      .run(
        (message) => void heard.push(message),
        stop.signal,
        () => state.opened++,
      )
      .then(() => {
        state.over = true
      })
    return { stop, heard, state, done }
  }
  return { runs, listen }
}

it('is opened once, heard by all, and closed after the last', async () => {
  const { runs, listen } = script()
  const [one, two] = [listen(), listen()]
  expect(runs).toHaveLength(1)
  expect([one.state.opened, two.state.opened]).toEqual([0, 0])
  runs[0]?.open()
  expect([one.state.opened, two.state.opened, listen().state.opened]).toEqual([1, 1, 1])
  runs[0]?.hear({ n: 1 })
  one.stop.abort()
  await one.done
  runs[0]?.hear({ n: 2 })
  expect([one.heard, two.heard]).toEqual([[{ n: 1 }], [{ n: 1 }, { n: 2 }]])
  expect(runs[0]?.signal.aborted).toBe(false)
})

it('begins anew for who comes after the last has left, and what the old one still says is nobody’s', async () => {
  const { runs, listen } = script()
  const first = listen()
  first.stop.abort()
  await first.done
  expect(runs[0]?.signal.aborted).toBe(true)
  const second = listen()
  expect(runs).toHaveLength(2)
  runs[0]?.open()
  runs[0]?.hear({ late: true })
  runs[0]?.end()
  await Promise.resolve()
  expect(second.state).toEqual({ opened: 0, over: false })
  expect(second.heard).toEqual([])
  runs[1]?.hear({ n: 1 })
  expect(second.heard).toEqual([{ n: 1 }])
})

it('is over for all when there is nothing to hear, and they were not kept waiting', async () => {
  const { runs, listen } = script()
  const [one, two] = [listen(), listen()]
  runs[0]?.end()
  await Promise.all([one.done, two.done])
  expect([one.state.opened, two.state.opened]).toEqual([1, 1])
  listen()
  expect(runs).toHaveLength(2)
})

it('tells all of a mistake of ours, once each', async () => {
  const { runs, listen } = script()
  const [one, two] = [listen(), listen()]
  const ended = Promise.allSettled([one.done, two.done])
  runs[0]?.fail(new TypeError('A mistake.'))
  expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  listen()
  expect(runs).toHaveLength(2)
})

it('is left alone by who had gone before', async () => {
  const { runs, listen } = script()
  const one = listen()
  one.stop.abort()
  const gone = new AbortController()
  gone.abort()
  await shareSource({
    server: 'a',
    key: 'k',
    own: false,
    place: undefined,
    run: () => Promise.reject(new Error('run')),
  }).run(() => undefined, gone.signal)
  expect(runs).toHaveLength(1)
})
