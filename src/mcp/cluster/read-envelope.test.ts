// What strangers send to the listener for replicas is not kept.
import { expect, it } from 'vitest'
import { envelopeReader, type Judge } from './read-envelope.ts'

const MB = 1024 * 1024
/** An envelope of a replica begins so. */
const OURS = Buffer.from('ours of a replica')
const judge: Judge = (bytes) => (bytes.length < OURS.length ? OURS.length : bytes.subarray(0, OURS.length).equals(OURS))

async function* inParts(...parts: readonly Buffer[]) {
  for (const part of parts) yield part
}

/** Says the first part, and no more until it is let go. */
function halting(first: Buffer, then: Buffer) {
  const { promise, resolve } = Promise.withResolvers<void>()
  async function* parts() {
    yield first
    await promise
    yield then
  }
  return { parts: parts(), go: resolve }
}

it('brings what a replica sends, however it is cut', async () => {
  const read = envelopeReader(100, judge)
  const sent = Buffer.concat([OURS, Buffer.from(' and the body')])
  for (let at = 1; at < sent.length; at++)
    expect(await read(inParts(sent.subarray(0, at), sent.subarray(at)))).toEqual(sent)
  expect(await read(inParts(...[...sent].map((byte) => Buffer.from([byte]))))).toEqual(sent)
})

it('reads a stranger to the end and says so; too much and too little are none', async () => {
  const read = envelopeReader(100, judge)
  expect(await read(inParts(Buffer.alloc(40), Buffer.alloc(60)))).toBe('not_sealed_for_us')
  expect(await read(inParts(Buffer.alloc(40), Buffer.alloc(61)))).toBe('malformed')
  expect(await read(inParts(OURS, Buffer.alloc(100)))).toBe('malformed')
  expect(await read(inParts(OURS.subarray(0, 4)))).toBe('malformed')
  expect(await read(inParts())).toBe('malformed')
})

it('keeps no more than so much of all whom it does not know, and all of those whom it does', async () => {
  const slow: Judge = (bytes) => (bytes.length < 10 * MB ? 10 * MB : bytes[0] === 1)
  const read = envelopeReader(20 * MB, slow)
  const strangers = Array.from({ length: 4 }, () => halting(Buffer.alloc(9 * MB, 1), Buffer.alloc(2 * MB, 1)))
  const reading = strangers.map(({ parts }) => read(parts))
  await new Promise((resolve) => setImmediate(resolve))
  for (const { go } of strangers) go()
  const lengths = (await Promise.all(reading)).map((said) => (typeof said === 'string' ? said : said.length))
  expect(lengths).toEqual([11 * MB, 11 * MB, 11 * MB, 'not_sealed_for_us'])
  // Nothing is counted any more.
  const again = await Promise.all(Array.from({ length: 3 }, () => read(inParts(Buffer.alloc(11 * MB, 1)))))
  expect(again.every((said) => typeof said !== 'string')).toBe(true)
})
