// What a killed process left in its spool goes to the store before anything else is recorded.
import { mkdir, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { RecordLine, RecordLog } from '../store/record-log.ts'
import { SEGMENT_NAME } from './spool.ts'
import { dropSpoolFolder } from './spool-folder.ts'

const LINES_AT_ONCE = 1000

interface Needs {
  readonly directory: string
  readonly restore: RecordLog['restore']
  readonly report: (detail: object, message: string) => void
}

/** Rejects when the store does not take them; what it has not taken stays in the spool. */
export async function restoreSpool({ directory, restore, report }: Needs): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const names = (await readdir(directory)).filter((name) => SEGMENT_NAME.test(name)).sort()
  let restored = 0
  for (const name of names) {
    const path = join(directory, name)
    const { lines, damaged, torn } = parseSegment(await readFile(path, 'utf8'))
    for (let at = 0; at < lines.length; at += LINES_AT_ONCE) await restore(lines.slice(at, at + LINES_AT_ONCE))
    restored += lines.length
    if (torn)
      report(
        { path },
        'The last line of a spool segment was torn by the end of the process; its call was never forwarded',
      )
    if (damaged === 0) await unlink(path)
    else {
      await rename(path, `${path}.damaged`)
      report(
        { path: `${path}.damaged`, damaged },
        'A spool segment has lines that are no decisions; it is kept beside the spool',
      )
    }
  }
  if (restored > 0) report({ restored }, 'Decisions of an earlier process were restored from the spool')
}

/** As `restoreSpool`; the folder goes with what was in it. */
export async function restoreAbandoned(
  directory: string,
  log: Pick<RecordLog, 'restore'>,
  report: Needs['report'],
): Promise<void> {
  await restoreSpool({ directory, restore: (lines) => log.restore(lines), report })
  await dropSpoolFolder(directory)
}

function parseSegment(text: string): { lines: RecordLine[]; damaged: number; torn: boolean } {
  const pieces = text.split('\n')
  // Every whole line ends with a line feed, so the last piece is empty or torn.
  const torn = pieces.pop() !== ''
  const written = pieces.filter((piece) => piece !== '')
  const lines = written.map(parseLine).filter((line) => line !== undefined)
  return { lines, damaged: written.length - lines.length, torn }
}

function parseLine(line: string): RecordLine | undefined {
  try {
    const event: unknown = JSON.parse(line)
    if (typeof event !== 'object' || event === null || !('id' in event)) return undefined
    // No id of ours; and a line feed would make two lines of one.
    if (typeof event.id !== 'string' || event.id.includes('\n')) return undefined
    return { id: event.id, line }
  } catch {
    // Counted by the caller, who keeps the file.
    return undefined
  }
}
