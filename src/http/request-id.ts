// Our request ids: UUIDv7 (RFC 9562 §5.7), time-ordered so that the record's index grows at one end.
import { randomFillSync } from 'node:crypto'

const POOL = Buffer.alloc(8192)
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** A generator whose ids never go backwards: within one millisecond a 12-bit counter (RFC 9562 §6.2, method 1) orders them. */
export function requestIds(): (now: number) => string {
  let used = POOL.length
  let last = 0
  let counter = 0
  const hex = (count: number): string => {
    if (used + count > POOL.length) {
      randomFillSync(POOL)
      used = 0
    }
    let text = ''
    for (const end = used + count; used < end; used++) text += HEX[POOL[used] ?? 0]
    return text
  }
  return (now) => {
    counter = now > last ? 0 : counter + 1
    last = counter > 0xfff ? last + 1 : Math.max(now, last)
    if (counter > 0xfff) counter = 0
    const time = last.toString(16).padStart(12, '0')
    const random = hex(8)
    const variant = (8 + (Number.parseInt(random[0] ?? '0', 16) & 3)).toString(16)
    return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${variant}${random.slice(1, 4)}-${random.slice(4)}`
  }
}
