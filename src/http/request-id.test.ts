import { expect, it } from 'vitest'
import { requestIds } from './request-id.ts'

it('RFC 9562 §5.7: version 7, variant 10, in order, unique, also within one millisecond and when the clock steps back', () => {
  const next = requestIds()
  const now = Date.parse('2026-11-20T00:00:00Z')
  const ids = Array.from({ length: 20_000 }, (_, at) => next(at === 15_000 ? now - 60_000 : now))
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(new Set(ids).size).toBe(ids.length)
  expect([...ids].sort()).toEqual(ids)
})
