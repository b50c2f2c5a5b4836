import { expect, it } from 'vitest'
import { ConnectionNeeded } from '../../../upstreams/credential.ts'
import { accountSource, createAccountChanges } from './account-changes.ts'
import type { Hear, Source } from './sources.ts'

function start({ connected }: { connected: boolean }) {
  const changes = createAccountChanges()
  const runs: { hear: Hear; signal: AbortSignal; end(): void }[] = []
  const source: Source = {
    ...{ server: 'notes', key: 'lists', own: false, place: undefined },
    run(hear, signal) {
      const { promise, resolve } = Promise.withResolvers<void>()
      runs.push({ hear, signal, end: resolve })
      signal.addEventListener('abort', () => resolve(), { once: true })
      return promise
    },
  }
  const stop = new AbortController()
  const heard: unknown[] = []
  const state = { opened: 0, over: false }
  const own = accountSource(source, {
    watch: (listener) => changes.watch('notes', 'ann', listener),
    async reach() {
      if (!connected) throw new ConnectionNeeded('notes', 'not_connected')
    },
  })
  const done = own.run(
    (message) => void heard.push(message),
    stop.signal,
    () => state.opened++,
  )
  const over = done.then(() => {
    state.over = true
  })
  return { changes, runs, stop, heard, state, over }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
const CHANGED = ['tools', 'prompts', 'resources'].map((list) => ({
  jsonrpc: '2.0',
  method: `notifications/${list}/list_changed`,
}))

it('tells of another account, and listens to the server anew', async () => {
  const { changes, runs, heard, stop, state, over } = start({ connected: false })
  await settled()
  expect([runs.length, state.opened]).toEqual([1, 1])
  changes.changed('notes', 'bob')
  changes.changed('github', 'ann')
  expect(heard).toEqual([])
  changes.changed('notes', 'ann')
  expect(heard).toEqual(CHANGED)
  await settled()
  expect(runs).toHaveLength(2)
  expect([runs[0]?.signal.aborted, runs[1]?.signal.aborted]).toEqual([true, false])
  runs[1]?.hear({ jsonrpc: '2.0', method: 'x' })
  expect(heard).toHaveLength(4)
  stop.abort()
  await over
  changes.changed('notes', 'ann')
  expect(heard).toHaveLength(4)
})

it('waits for the next account where there is nothing to hear with this one', async () => {
  const { changes, runs, state, stop, over } = start({ connected: true })
  await settled()
  // With an account it is open once the server is listened to.
  expect(state.opened).toBe(0)
  runs[0]?.end()
  await settled()
  expect([runs.length, state.over]).toEqual([1, false])
  changes.changed('notes', 'ann')
  await settled()
  expect(runs).toHaveLength(2)
  stop.abort()
  await over
})
