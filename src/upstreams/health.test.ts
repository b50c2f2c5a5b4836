import { expect, it } from 'vitest'
import { createHealth } from './health.ts'

it('is unknown before the first attempt, then as the last one ended, since it began to be so', () => {
  let now = 1000
  const said: string[] = []
  const log = {
    info: (_: object, text: string) => void said.push(text),
    warn: (_: object, text: string) => void said.push(text),
  }
  const { health, report } = createHealth({ ids: ['a', 'b'], clock: () => now, log })
  expect(health()).toEqual([
    { id: 'a', state: 'unknown' },
    { id: 'b', state: 'unknown' },
  ])
  report('a', { ok: true })
  now += 1000
  report('a', { ok: true })
  report('nobody', { ok: true })
  expect(health()[0]).toEqual({ id: 'a', state: 'up', since: 1000 })
  report('a', { ok: false, reason: 'connect' })
  now += 1000
  report('a', { ok: false, reason: 'timeout' })
  expect(health()[0]).toEqual({ id: 'a', state: 'down', reason: 'timeout', since: 2000 })
  now += 1000
  report('a', { ok: true })
  expect(health()).toEqual([
    { id: 'a', state: 'up', since: 4000 },
    { id: 'b', state: 'unknown' },
  ])
  // Each change once.
  expect(said).toEqual(['server down', 'server up'])
})

it('says with a fall what to do, where the address or the credential may be wrong', () => {
  const said: object[] = []
  const log = { info: () => undefined, warn: (fields: object) => void said.push(fields) }
  const { report } = createHealth({ ids: ['a', 'b'], clock: () => 0, log })
  report('a', { ok: false, reason: 'redirect' })
  report('b', { ok: false, reason: 'timeout' })
  expect(said).toEqual([
    { server: 'a', reason: 'redirect', remedy: expect.stringContaining('url') },
    { server: 'b', reason: 'timeout', remedy: undefined },
  ])
})
