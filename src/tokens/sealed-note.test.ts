import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { seal } from './seal.ts'
import { sealedNotes } from './sealed-note.ts'

const NOW = 1_700_000_000_000

function open({ longest }: { longest?: number } = {}) {
  const keys = [{ key: randomBytes(32) }]
  const at = { now: NOW }
  const needs = { sealKeys: () => keys, clock: () => at.now, life: 1000, ...(longest !== undefined && { longest }) }
  return { at, keys, notes: sealedNotes(needs) }
}

describe('a sealed note', () => {
  it('opens for what it was made for, with its end', () => {
    const { notes } = open()
    const note = notes.seal('place\0ann', { s: 'said' })
    expect(notes.open('place\0ann', note)).toEqual({ said: { s: 'said' }, expiresAt: NOW + 1000 })
    expect(notes.open('place\0bob', note)).toBeUndefined()
    expect(notes.open('place\0ann', 'made-up')).toBeUndefined()
  })

  it('is good until its end, and not at it', () => {
    const { notes, at } = open()
    const note = notes.seal('place', {})
    at.now = NOW + 999
    expect(notes.open('place', note)).toEqual({ said: {}, expiresAt: NOW + 1000 })
    at.now = NOW + 1000
    expect(notes.open('place', note)).toBeUndefined()
  })

  it('lives as long as it is said here, whatever the payload says', () => {
    const { notes } = open()
    expect(notes.open('place', notes.seal('place', { e: NOW + 1_000_000 }))?.expiresAt).toBe(NOW + 1000)
  })

  it.each([{}, { e: 'tomorrow' }, { e: null }])('is none without an end: %j', (payload) => {
    const { notes, keys } = open()
    expect(notes.open('place', seal(keys, 'place', payload))).toBeUndefined()
  })

  it('is as long as its maker allows', () => {
    const long = { t: 'x'.repeat(5000) }
    const { notes } = open()
    expect(notes.open('place', notes.seal('place', long))).toBeUndefined()
    const { notes: longer } = open({ longest: 16_384 })
    expect(longer.open('place', longer.seal('place', long))).toMatchObject({ said: long })
  })
})
