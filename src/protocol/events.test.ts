// Server-sent events as bytes: E26.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dataInParts, readEvent, replaceData, splitEvents, withoutMark, writeEvent } from './events.ts'

const split = (chunks: readonly Buffer[], limit = 1024) => {
  const events: { text: string; whole: boolean }[] = []
  const splitter = splitEvents(limit, (bytes, whole) => events.push({ text: bytes.toString(), whole }))
  for (const chunk of chunks) splitter.push(chunk)
  return { events, splitter }
}

describe('splitEvents', () => {
  it.each([
    ['LF', 'data: 1\n\ndata: 2\n\n', ['data: 1\n\n', 'data: 2\n\n']],
    ['CRLF', 'data: 1\r\n\r\ndata: 2\r\n\r\n', ['data: 1\r\n\r', 'data: 2\r\n\r']],
    ['CR', 'data: 1\r\rdata: 2\r\r', ['data: 1\r\r', 'data: 2\r\r']],
    ['a comment', ': hi\n\n', [': hi\n\n']],
    ['several lines', 'id: 1\nevent: message\ndata: a\ndata: b\n\n', ['id: 1\nevent: message\ndata: a\ndata: b\n\n']],
    ['an unfinished event', 'data: 1\n\ndata: 2\n', ['data: 1\n\n']],
  ])('%s', (_, text, expected) => {
    expect(split([Buffer.from(text)]).events.map((event) => event.text)).toEqual(expected)
  })

  it('finds the same events however the bytes arrive', () => {
    const line = fc.constantFrom('data: {"a":1}', 'id: 7', ': x', 'event: message', 'data:', 'data: é')
    const end = fc.constantFrom('\n', '\r', '\r\n')
    const event = fc
      .tuple(fc.array(line, { minLength: 1, maxLength: 3 }), end)
      .map(([lines, nl]) => lines.map((text) => text + nl).join('') + nl)
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 5 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (texts, sizes) => {
          const bytes = Buffer.from(texts.join(''))
          const chunks: Buffer[] = []
          for (let at = 0; at < bytes.length; ) {
            const size = sizes.next().value ?? 1
            chunks.push(bytes.subarray(at, at + size))
            at += size
          }
          const data = (parts: readonly Buffer[]) =>
            split(parts).events.map(({ text }) => readEvent(Buffer.from(text)).data?.toString())
          expect(data(chunks)).toEqual(data(texts.map((text) => Buffer.from(text))))
          expect(data(chunks)).toHaveLength(texts.length)
        },
      ),
    )
  })

  it('hands on an event beyond the limit in parts, and says when it is inside', () => {
    const { events, splitter } = split([Buffer.from(`data: ${'x'.repeat(20)}`)], 10)
    expect(events).toEqual([{ text: `data: ${'x'.repeat(20)}`, whole: false }])
    expect(splitter.inside()).toBe(true)
    splitter.push(Buffer.from('y\n\ndata: 1\n\n'))
    expect(events.slice(1)).toEqual([
      { text: 'y\n\n', whole: false },
      { text: 'data: 1\n\n', whole: true },
    ])
    expect(splitter.inside()).toBe(false)
  })
})

describe('one event', () => {
  it.each([
    ['data: {"a":1}\n\n', '{"a":1}', false],
    ['data:{"a":1}\r\n\r\n', '{"a":1}', false],
    ['id: 4\nevent: message\ndata: a\ndata: b\n\n', 'a\nb', true],
    [': comment\n\n', undefined, false],
    ['id: 1\ndata: \n\n', undefined, true],
    ['database: x\n\n', undefined, false],
    ['data\n\n', undefined, false],
  ])('%j', (text, data, hasId) => {
    const event = readEvent(Buffer.from(text))
    expect({ data: event.data?.toString(), hasId: event.hasId }).toEqual({ data, hasId })
  })

  it('keeps its other lines when its data is replaced', () => {
    const event = Buffer.from('id: 4\r\nevent: message\r\ndata: {\r\ndata: }\r\n\r\n')
    expect(replaceData(event, { a: 'line\nbreak' }).toString()).toBe(
      'id: 4\nevent: message\ndata: {"a":"line\\nbreak"}\n\n',
    )
  })

  it('of ours cannot be broken open by what it says', () => {
    const message = { text: '\n\nevent: x\ndata: planted\r\r\u0000' }
    const { events } = split([writeEvent(message)])
    expect(events).toHaveLength(1)
    expect(JSON.parse(readEvent(writeEvent(message)).data?.toString() ?? '')).toEqual(message)
  })

  // Looked through anew for each of its lines, each of these would take a minute.
  it.each([
    ['data:\n', '\n'],
    ['data: a\r\n', 'a\n'],
    ['data: a\r', 'a\n'],
  ])('of a million lines %j is read, and told from the next', (line, said) => {
    const LINES = 1_000_000
    const event = Buffer.from(`${line.repeat(LINES)}${line.endsWith('\r') ? '\r' : '\n'}`)
    expect(readEvent(event).data?.equals(Buffer.from(said.repeat(LINES).slice(0, -1)))).toBe(true)
    expect(replaceData(event, 1).toString()).toBe('data: 1\n\n')
    const found: number[] = []
    splitEvents(event.length, ({ length }) => found.push(length)).push(Buffer.concat([event, event]))
    expect(found).toEqual([event.length, event.length])
  })

  it('begin behind one byte order mark', () => {
    const bytes = Buffer.from('\ufeffdata: 1\n\n')
    expect(readEvent(bytes).data).toBeUndefined()
    expect(readEvent(withoutMark(bytes)).data?.toString()).toBe('1')
    expect(withoutMark(Buffer.from('data: 1\n\n')).toString()).toBe('data: 1\n\n')
  })
})

describe('the data of one event in parts', () => {
  it('is that of the whole event, but for white space, however its bytes arrive', () => {
    const line = fc.constantFrom(
      'data: {"a":1}',
      'data:2',
      'data',
      'datum: 3',
      'id: 7',
      ': data: 4',
      ' data: 5',
      'dat: 6',
    )
    const end = fc.constantFrom('\n', '\r', '\r\n')
    const plain = (bytes: Buffer | undefined) => bytes?.toString().replace(/\s/g, '') ?? ''
    fc.assert(
      fc.property(fc.array(line), end, fc.integer({ min: 1, max: 9 }), (lines, nl, size) => {
        const event = Buffer.from(lines.map((text) => text + nl).join('') + nl)
        const dataOf = dataInParts()
        const parts: Buffer[] = []
        for (let at = 0; at < event.length; at += size) parts.push(dataOf(event.subarray(at, at + size)))
        expect(plain(Buffer.concat(parts))).toBe(plain(readEvent(event).data))
      }),
    )
  })
})
