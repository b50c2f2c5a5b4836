// Segments whose writer ended before it could name their range get it now, so that readers need not look into each of them for ever.
import { readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { ignoreGone } from './failure.ts'
import { nameSegment, readSegmentName } from './segment-name.ts'
import type { SegmentReader } from './segment-reader.ts'

/** `before`: those begun earlier are written to by nobody. */
export async function nameLeftOvers(folder: string, { rangeOf }: SegmentReader, before: number): Promise<void> {
  for (const file of await readdir(folder)) {
    const name = readSegmentName(file)
    const [begun = '', writer = ''] = name?.key.split('-') ?? []
    if (name === undefined || name.range !== undefined || Number(begun) >= before) continue
    const range = await rangeOf(name)
    const path = join(folder, file)
    // Another process may do the same at this moment.
    if (range.first === '') await unlink(path).catch(ignoreGone)
    else await rename(path, join(folder, nameSegment(Number(begun), writer, range))).catch(ignoreGone)
  }
}
