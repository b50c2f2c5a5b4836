// Whether the server speaks the client's era is asked once for a call, and whoever asks hears of a failure.
import { expect, it, vi } from 'vitest'
import { createPassing, type PassingNeeds } from './passing.ts'
import type { Visit } from './visit.ts'

function pass(speaks: PassingNeeds['speaks']) {
  const bridge = vi.fn(async () => ({ status: 200, outcome: 'answered', fault: undefined }))
  const needs = { upstreams: {}, binding: { bind: (upstream: unknown) => upstream }, speaks, bridge }
  const visit = {
    exchange: { req: { rawHeaders: [] }, address: '127.0.0.1' },
    upstream: { kind: 'remote', id: 'notes' },
    ...{ era: 'modern', method: 'tools/call', view: 'all', target: { kind: 'tool', name: 'echo' }, head: {} },
  }
  return { bridge, passed: createPassing(needs as unknown as PassingNeeds)(visit as unknown as Visit) }
}

it('asks once, and talks for a client of the other era', async () => {
  const speaks = vi.fn(async () => false)
  const { bridge, passed } = pass(speaks)
  expect(await passed).toMatchObject({ outcome: 'answered' })
  expect(speaks).toHaveBeenCalledTimes(1)
  expect(bridge).toHaveBeenCalledTimes(1)
})

it('fails one call alone where the asking fails', async () => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  const speaks = vi.fn(() => Promise.reject(new TypeError('broken')))
  const { bridge, passed } = pass(speaks)
  await expect(passed).rejects.toThrow('broken')
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
  expect(speaks).toHaveBeenCalledTimes(1)
  expect(bridge).not.toHaveBeenCalled()
})
