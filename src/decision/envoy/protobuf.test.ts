import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, it } from 'vitest'
import { field, MalformedMessage, Message } from './protobuf.ts'

const { root } = protobuf.parse(`syntax = "proto3";
  message Inner { string word = 1; }
  message Outer {
    string text = 1; bytes raw = 2; Inner inner = 3; map<string, string> pairs = 4; repeated Inner list = 5;
    int64 whole = 6; fixed32 four = 7; double eight = 8; string far = 2000;
  }`)
const Outer = root.lookupType('Outer')
const encode = (value: Record<string, unknown>) => Buffer.from(Outer.encode(Outer.fromObject(value)).finish())

describe('a message', () => {
  it('reads as another implementation wrote it', () => {
    fc.assert(
      fc.property(
        fc.record({
          text: fc.string({ unit: 'grapheme' }),
          raw: fc.uint8Array(),
          inner: fc.record({ word: fc.string() }),
          pairs: fc.dictionary(
            fc.string().filter((key) => key !== '__proto__'),
            fc.string(),
          ),
          list: fc.array(fc.record({ word: fc.string() })),
          whole: fc.maxSafeInteger(),
          four: fc.nat(),
          eight: fc.double(),
          far: fc.string(),
        }),
        (value) => {
          const message = new Message(encode(value))
          expect(message.text(1)).toBe(value.text)
          expect([...message.bytes(2)]).toEqual([...value.raw])
          expect(message.message(3).text(1)).toBe(value.inner.word)
          expect(Object.fromEntries(message.entries(4))).toEqual({ ...value.pairs })
          expect(message.messages(5).map((item) => item.text(1))).toEqual(value.list.map(({ word }) => word))
          expect(message.text(2000)).toBe(value.far)
        },
      ),
    )
  })

  it('is written as another implementation reads it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 400 }), fc.nat(), (text, raw, whole) => {
        const bytes = Buffer.concat([
          field(1, text),
          field(2, Buffer.from(raw)),
          field(3, field(1, 'in it')),
          field(6, whole),
          field(2000, 'far'),
        ])
        const read = Outer.toObject(Outer.decode(bytes), { longs: Number, bytes: Array })
        expect(read).toMatchObject({ text, raw: [...raw], inner: { word: 'in it' }, whole, far: 'far' })
      }),
    )
  })

  it('is empty where nothing was sent', () => {
    const message = new Message(Buffer.alloc(0))
    expect([message.text(1), message.bytes(2).length, message.messages(3), message.entries(4).size]).toEqual([
      '',
      0,
      [],
      0,
    ])
    expect([message.has(1), new Message(field(1, '')).has(1)]).toEqual([false, true])
  })
})

describe('bytes that are none', () => {
  it.each([
    ['a key cut off', [0x80]],
    ['a number that is too long', [0x08, ...Array(11).fill(0xff)]],
    ['a length beyond the end', [0x0a, 0x05, 0x61]],
    ['a length beyond every end', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['a group', [0x0b, 0x0c]],
    ['a wire type that there is not', [0x0e]],
    ['a field without a number', [0x02, 0x00]],
    ['four bytes cut off', [0x3d, 0, 0]],
  ])('%s', (_what, bytes) => {
    expect(() => new Message(Buffer.from(bytes))).toThrow(MalformedMessage)
  })

  it('a field that may come once', () => {
    const twice = new Message(Buffer.concat([field(1, 'read'), field(1, 'write')]))
    expect(() => twice.text(1)).toThrow(MalformedMessage)
    const pair = field(4, Buffer.concat([field(1, 'authorization'), field(2, 'x')]))
    expect(() => new Message(Buffer.concat([pair, pair])).entries(4)).toThrow(MalformedMessage)
    expect(new Message(pair).entries(4).get('authorization')).toBe('x')
  })

  it('text that is not UTF-8, and a number where a message belongs', () => {
    expect(() => new Message(field(1, Buffer.from([0xc0, 0xaf]))).text(1)).toThrow(MalformedMessage)
    expect(() => new Message(field(3, 7)).message(3)).toThrow(MalformedMessage)
  })

  it('never end otherwise than so', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          const message = new Message(Buffer.from(bytes))
          for (let number = 1; number < 16; number++) message.entries(number)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage)
        }
      }),
    )
  })
})
