// Bytes that come in parts as small as their sender likes (RFC 9112 §7.1: a chunk may be one byte), while each part that is kept costs more
// than a hundred bytes of its own. Small ones are joined as they come, so that a limit in bytes is a limit of memory.

/** From here on a part weighs more than it costs to keep. */
const LARGE = 4096

/** As in a binary counter, a small part joins those before it that are no longer: each byte is copied a dozen times at most. */
export function addPart(parts: Buffer[], part: Buffer): void {
  let last = part
  while (last.length < LARGE) {
    const before = parts.at(-1)
    if (before === undefined || before.length > last.length) break
    parts.pop()
    last = Buffer.concat([before, last])
  }
  parts.push(last)
}
