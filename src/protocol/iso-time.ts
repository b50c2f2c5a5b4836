// A moment as ISO 8601 writes it. Many fall into one second, whose text is kept: a date costs ten times as much.

let second = Number.NaN
let text = ''

/** Milliseconds since the epoch, as `Date.prototype.toISOString` writes them. */
export function isoTime(at: number): string {
  const milliseconds = at % 1000
  // Before 1970, and what is no whole number, is written by nobody's clock.
  if (!(milliseconds >= 0) || !Number.isInteger(at)) return new Date(at).toISOString()
  if (at - milliseconds !== second) {
    text = new Date(at).toISOString().slice(0, -4)
    second = at - milliseconds
  }
  return `${text}${String(milliseconds).padStart(3, '0')}Z`
}
