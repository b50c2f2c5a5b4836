// Our request ids: UUIDv7 (RFC 9562 §5.7), time-ordered so that the record's index grows at one end.
import { randomBytes } from 'node:crypto'

/** Hexadecimal digits drawn at a time: one call for many ids. */
const DRAW_BYTES = 4096
const DIGITS = 16

/** A generator whose ids never go backwards: within one millisecond a 12-bit counter (RFC 9562 §6.2, method 1) orders them. */
export function requestIds(): (now: number) => string {
  let pool = ''
  let used = 0
  let last = 0
  let counter = 0
  let prefix = ''
  return (now) => {
    counter = now > last ? 0 : counter + 1
    if (now > last || counter > 0xfff || prefix === '') {
      last = counter > 0xfff ? last + 1 : Math.max(now, last)
      counter = 0
      const time = last.toString(16).padStart(12, '0')
      prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`
    }
    if (used + DIGITS > pool.length) {
      pool = randomBytes(DRAW_BYTES).toString('hex')
      used = 0
    }
    const at = used
    used += DIGITS
    // The variant is the two bits 10: the digit's other two stay random.
    const variant = '89ab'[Number.parseInt(pool[at] ?? '0', 16) & 3]
    const count = counter.toString(16).padStart(3, '0')
    return `${prefix}${count}-${variant}${pool.slice(at + 1, at + 4)}-${pool.slice(at + 4, at + DIGITS)}`
  }
}
