// Acts of the command line go where `audit.sink` says.
import { describe, expect, it } from 'vitest'
import type { RecordLine } from '../store/record-log.ts'
import { recordAct } from './act.ts'

type Sink = Parameters<typeof recordAct>[0]['sink']

async function recordedWith(sink: Sink) {
  const stored: string[] = []
  const printed: string[] = []
  await recordAct(
    {
      sink,
      records: { append: async (lines: readonly RecordLine[]) => void stored.push(...lines.map(({ line }) => line)) },
      print: (line) => void printed.push(line),
    },
    { act: 'user_created', reason: 'local_account', subject: 'u1' },
  )
  return { stored, printed }
}

describe('recordAct', () => {
  it.each<[Sink, number, number]>([
    [['store'], 1, 0],
    [['stdout'], 0, 1],
    [['store', 'stdout'], 1, 1],
  ])('%j', async (sink, inStore, onStdout) => {
    const { stored, printed } = await recordedWith(sink)
    expect([stored.length, printed.length]).toEqual([inStore, onStdout])
    expect(JSON.parse([...stored, ...printed][0] ?? '')).toMatchObject({
      act: 'user_created',
      decision: 'allow',
      subject: 'u1',
    })
  })

  it('prints nothing that the store did not take', async () => {
    const printed: string[] = []
    const broken = { append: () => Promise.reject(new Error('disk full')) }
    const act = { act: 'user_created', reason: 'local_account', subject: 'u1' }
    const recording = recordAct(
      { sink: ['store', 'stdout'], records: broken, print: (line) => void printed.push(line) },
      act,
    )
    await expect(recording).rejects.toThrow('disk full')
    expect(printed).toEqual([])
  })
})
