import { afterEach, expect, it, vi } from 'vitest'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { type CredentialWatch, type Ending, openCredentialWatch } from './watch.ts'

let changed: () => void = () => undefined
let watch: CredentialWatch
const revoked = new Set<string>()
let now = 0
const ann: Principal = { ...ANONYMOUS, kind: 'person', subject: 'ann', tokenId: 'j', issuedAt: 0, expiresAt: 10_000 }

function open(): Ending[] {
  vi.useFakeTimers()
  now = 0
  revoked.clear()
  watch = openCredentialWatch({
    revocations: {
      isRevoked: ({ jti }) => revoked.has(jti),
      onChange: (listener) => {
        changed = listener
      },
    },
    clock: () => now,
  })
  return []
}
afterEach(() => {
  watch.close()
  vi.useRealTimers()
})

it('ends a stream once when its credential expires, and not before', () => {
  const ends = open()
  watch.watch(ann, (reason) => ends.push(reason), false)
  vi.advanceTimersByTime(2000)
  expect(ends).toEqual([])
  now = 10_000
  vi.advanceTimersByTime(5000)
  expect([ends, watch.size()]).toEqual([['expired'], 0])
})

it('ends it as soon as its revocation is known, and leaves others', () => {
  const ends = open()
  watch.watch(ann, (reason) => ends.push(reason), false)
  watch.watch({ ...ann, tokenId: 'other' }, () => ends.push('draining'), false)
  revoked.add('j')
  changed()
  expect([ends, watch.size()]).toEqual([['revoked'], 1])
})

it('when the gate goes away ends what no answer would end, and lets answers run to their end', () => {
  const ends = open()
  watch.watch(ann, (reason) => ends.push(reason), true)
  watch.watch(ann, () => ends.push('expired'), false)
  watch.endLasting()
  expect([ends, watch.size()]).toEqual([['draining'], 1])
})

it('watches no more once it is told so', () => {
  const ends = open()
  watch.watch(ann, (reason) => ends.push(reason), true)()
  watch.endLasting()
  expect(ends).toEqual([])
})
