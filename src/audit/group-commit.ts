// Acts that arrive while one commit is on its way share the next one: each waits for a commit, none for all before it.
import type { RecordLine, RecordLog } from '../store/record-log.ts'
import { unavailable } from './recording.ts'

/** Each holds its whole request, some ten kilobytes, and strangers make acts as well: those that are refused. */
const MOST_WAITING = 5000

/** Resolves once the line is committed; rejects with the store's own error when its commit failed, and at once where too many wait. */
export function groupCommit(
  append: RecordLog['append'],
  most = MOST_WAITING,
): {
  commit(line: RecordLine): Promise<void>
  idle(): Promise<void>
} {
  let queue: { line: RecordLine; resolve(): void; reject(error: unknown): void }[] = []
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    while (queue.length > 0) {
      const group = queue
      queue = []
      try {
        await append(group.map(({ line }) => line))
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    running = undefined
  }

  return {
    commit(line) {
      if (queue.length >= most) return Promise.reject(unavailable())
      return new Promise((resolve, reject) => {
        queue.push({ line, resolve, reject })
        running ??= run()
      })
    },
    idle: () => running ?? Promise.resolve(),
  }
}
