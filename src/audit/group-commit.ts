// Acts that arrive while one commit is on its way share the next one: each waits for a commit, none for all before it.
import type { RecordLine, RecordLog } from '../store/record-log.ts'

/** Resolves once the line is committed; rejects with the store's own error when its commit failed. */
export function groupCommit(append: RecordLog['append']): {
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
      return new Promise((resolve, reject) => {
        queue.push({ line, resolve, reject })
        running ??= run()
      })
    },
    idle: () => running ?? Promise.resolve(),
  }
}
