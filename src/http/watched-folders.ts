// When files may have changed. Their folders are watched: editors and certificate tools replace a file rather than write into it, and
// what Kubernetes mounts changes by a link beside it.
import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'

/** Files that belong together are written one after the other; a few moments of silence end that. */
const SILENCE = 200

/** Answers how to stop. `onChange` may be called when nothing of the files has changed. */
export function watchFolders(
  files: readonly string[],
  { onChange, onError }: { onChange(): void; onError(error: unknown): void },
): () => void {
  let timer: NodeJS.Timeout | undefined
  const wait = () => {
    clearTimeout(timer)
    timer = setTimeout(onChange, SILENCE)
    timer.unref()
  }
  const watchers: FSWatcher[] = []
  try {
    for (const folder of new Set(files.map((file) => dirname(file))))
      watchers.push(watch(folder, { persistent: false }, wait).on('error', onError))
  } catch (error) {
    onError(error)
  }
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
  }
}
