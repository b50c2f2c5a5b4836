import { describe, expect, it } from 'vitest'
import type { RecordLine } from '../store/record-log.ts'
import { groupCommit } from './group-commit.ts'

const line = (id: string): RecordLine => ({ id, line: `{"id":"${id}"}` })

/** A store whose commits last until the test ends them. */
function slowStore(most?: number) {
  const commits: { ids: string[]; end(): void; fail(error: Error): void }[] = []
  const acts = groupCommit(
    (lines) =>
      new Promise((end, fail) => {
        commits.push({ ids: lines.map(({ id }) => id), end, fail })
      }),
    most,
  )
  return { commits, acts }
}

describe('acts that wait for the store', () => {
  it('share the next commit, and each waits for its own', async () => {
    const { commits, acts } = slowStore()
    const first = acts.commit(line('a'))
    const others = [acts.commit(line('b')), acts.commit(line('c'))]
    commits[0]?.end()
    await first
    expect(commits.map(({ ids }) => ids)).toEqual([['a'], ['b', 'c']])
    commits[1]?.fail(new Error('the disk is full'))
    await expect(others[0]).rejects.toThrow('the disk is full')
    await expect(others[1]).rejects.toThrow('the disk is full')
    await acts.idle()
  })

  it('are so many and no more while the store hangs; the next is refused at once, and takes nothing from those before it', async () => {
    const { commits, acts } = slowStore(2)
    const waiting = ['a', 'b', 'c'].map((id) => acts.commit(line(id)))
    await expect(acts.commit(line('d'))).rejects.toMatchObject({ status: 503, reason: 'audit_unavailable' })
    commits[0]?.end()
    await waiting[0]
    commits[1]?.end()
    await Promise.all(waiting)
    // The positive twin: once the store goes on, acts do.
    const later = acts.commit(line('e'))
    commits[2]?.end()
    await later
    expect(commits.flatMap(({ ids }) => ids)).toEqual(['a', 'b', 'c', 'e'])
  })
})
