import { describe, expect, it } from 'vitest'
import { findAnswerId, type Oversize } from '../transport.ts'
import { lineReader } from './framing.ts'

function read(chunks: readonly (string | Buffer)[], limit = 100) {
  const lines: string[] = []
  const oversize: Oversize[] = []
  const reader = lineReader({ limit, onLine: (line) => lines.push(line), onOversize: (line) => oversize.push(line) })
  for (const chunk of chunks) reader.push(Buffer.from(chunk))
  return { lines, oversize, reader }
}

describe('lines', () => {
  it('are cut at LF, however the bytes arrive', () => {
    expect(read(['a\nb', 'b\n', 'c', 'c', 'c\nrest']).lines).toEqual(['a', 'bb', 'ccc'])
  })

  it('keep a character whose bytes arrive apart', () => {
    const bytes = Buffer.from('é\n')
    expect(read([bytes.subarray(0, 1), bytes.subarray(1)]).lines).toEqual(['é'])
  })

  it('give out what is left at the end', () => {
    const { lines, reader } = read(['last words'])
    reader.end()
    expect(lines).toEqual(['last words'])
  })

  it('may be exactly as long as the limit', () => {
    expect(read([`${'x'.repeat(100)}\n`])).toMatchObject({ lines: ['x'.repeat(100)], oversize: [] })
  })

  it('past the limit are reported by their ends, and the next line is whole', () => {
    const long = `{"head":${'x'.repeat(5000)}"tail"}`
    const { lines, oversize } = read([long.slice(0, 90), long.slice(90, 3000), `${long.slice(3000)}\nnext\n`])
    expect(lines).toEqual(['next'])
    expect(oversize).toEqual([{ size: long.length, head: long.slice(0, 128), tail: long.slice(-128) }])
  })

  it('of single bytes stay whole', () => {
    expect(read([...'x'.repeat(9000), '\n'], 10_000).lines).toEqual(['x'.repeat(9000)])
  })
})

describe('the id of an answer that cannot be read', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":7,"result":{"id":5', '}}', 7],
    ['{"result":{"id":5', '},"jsonrpc":"2.0","id":8}', 8],
    ['{"result":{"id":5', '},"jsonrpc":"2.0","id":8}\r', 8],
    ['{"result":{"x":{"jsonrpc":"2.0","id":5', ',"jsonrpc":"2.0","id":5}}}', undefined],
    ['{"jsonrpc":"2.0","method":"x","params":{"id":5', '}}', undefined],
    ['noise', 'noise', undefined],
  ])('%s … %s', (head, tail, id) => {
    expect(findAnswerId({ head, tail })).toBe(id)
  })
})
