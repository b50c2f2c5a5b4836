// Lines on a child's pipes (MCP 2025-11-25, Transports: stdio). One message is one line; a line has a ceiling.

import type { Oversize } from '../transport.ts'

const END = 128

/** Cuts a byte stream at LF. A line past `limit` bytes is not kept; the lines after it arrive as if it had not been there. */
export function lineReader(needs: { limit: number; onLine(line: string): void; onOversize(line: Oversize): void }): {
  push(chunk: Buffer): void
  end(): void
} {
  let parts: Buffer[] = []
  let size = 0
  let ends: { head: Buffer; tail: Buffer } | undefined

  function take(piece: Buffer): void {
    if (piece.length === 0) return
    size += piece.length
    if (ends) ends.tail = lastBytes(ends.tail, piece)
    else if (size <= needs.limit) keep(piece)
    else {
      const start = Buffer.concat(parts)
      ends = { head: firstBytes(start, piece), tail: lastBytes(start, piece) }
      parts = []
    }
  }

  function keep(piece: Buffer): void {
    parts.push(piece)
    // A child that flushes byte by byte would otherwise cost an object a byte.
    if (parts.length > 4096) parts = [Buffer.concat(parts)]
  }

  function finish(): void {
    if (ends) needs.onOversize({ size, head: ends.head.toString('latin1'), tail: ends.tail.toString('latin1') })
    else if (size > 0) needs.onLine(Buffer.concat(parts).toString('utf8'))
    parts = []
    size = 0
    ends = undefined
  }

  return {
    push(chunk) {
      let from = 0
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
        take(chunk.subarray(from, at))
        finish()
        from = at + 1
      }
      take(chunk.subarray(from))
    },
    end: finish,
  }
}

const firstBytes = (start: Buffer, piece: Buffer): Buffer =>
  Buffer.concat([start.subarray(0, END), piece.subarray(0, END)]).subarray(0, END)

const lastBytes = (start: Buffer, piece: Buffer): Buffer =>
  Buffer.concat([start.subarray(-END), piece.subarray(-END)]).subarray(-END)
