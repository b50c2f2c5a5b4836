import { describe, expect, it } from 'vitest'
import type { ActEvent } from '../audit/event.ts'
import { ownActs } from './own-acts.ts'

const NOW = Date.parse('2026-11-21T12:00:00.000Z')

describe('an act of the gate itself', () => {
  it('is recorded at its time, each under an id of its own', async () => {
    const events: ActEvent[] = []
    const record = ownActs({ act: async (event) => void events.push(event) }, () => NOW)
    await record({ act: 'tool_changed', decision: 'deny', reason: 'tool_changed', name: 'notes/read' })
    await record({ act: 'tool_changed', decision: 'deny', reason: 'tool_changed', name: 'notes/read' })
    expect(events[0]).toEqual({
      kind: 'act',
      id: events[0]?.id,
      time: '2026-11-21T12:00:00.000Z',
      act: 'tool_changed',
      decision: 'deny',
      reason: 'tool_changed',
      name: 'notes/read',
    })
    expect(new Set(events.map(({ id }) => id)).size).toBe(2)
  })

  it('is not done where it cannot be recorded', async () => {
    const record = ownActs({ act: () => Promise.reject(new Error('full')) }, () => NOW)
    await expect(record({ act: 'connection_made', decision: 'allow', reason: 'oauth' })).rejects.toThrow('full')
  })
})
