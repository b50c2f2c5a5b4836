import { describe, expect, it } from 'vitest'
import { RequestError } from '../protocol/errors.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { createStreams } from './streams.ts'

const ann: Principal = { ...ANONYMOUS, kind: 'person', subject: 'ann' }
const tooMany = expect.objectContaining({ status: 429, reason: 'too_many_streams' })
const open = () => createStreams({ most: 2, watch: () => () => undefined })

describe('the places of streams', () => {
  it('are those of a principal, from wherever they come', () => {
    const streams = open()
    const place = streams.reserve(ann, '192.0.2.1')
    const end = streams.open(ann, '192.0.2.2', () => undefined)
    expect(() => streams.reserve(ann, '192.0.2.3')).toThrow(tooMany)
    end()
    streams.reserve(ann, '192.0.2.3')
    expect(() => streams.reserve(ann, '192.0.2.1')).toThrow(RequestError)
    place.release()
    place.release()
    streams.reserve(ann, '192.0.2.1')
    expect(() => streams.reserve(ann, '192.0.2.1')).toThrow(tooMany)
  })

  it('are not taken twice by what a channel carries, which ends with the credential all the same', () => {
    const watched: boolean[] = []
    const watch = (_: Principal, _onEnd: unknown, lasting: boolean) => {
      watched.push(lasting)
      return () => undefined
    }
    const streams = createStreams({ most: 1, watch })
    const channel = streams.reserve(ann, '192.0.2.1')
    const carried = streams.reserve(ann, '192.0.2.1', true)
    carried.watch(() => undefined)
    expect(watched).toEqual([true])
    carried.release()
    expect(() => streams.reserve(ann, '192.0.2.1')).toThrow(tooMany)
    channel.release()
    streams.reserve(ann, '192.0.2.1')
  })

  it('are those of a network, where nobody has signed in', () => {
    const streams = open()
    streams.open(ANONYMOUS, '2001:db8::1', () => undefined)
    const place = streams.reserve(ANONYMOUS, '2001:db8::2')
    expect(() => streams.reserve(ANONYMOUS, '2001:db8::3')).toThrow(tooMany)
    streams.reserve(ANONYMOUS, '2001:db8:0:1::1')
    streams.reserve(ann, '2001:db8::1')
    place.release()
    streams.reserve(ANONYMOUS, '2001:db8::3')
  })
})
