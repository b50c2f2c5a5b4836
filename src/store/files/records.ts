// The audit record in a folder of files to which lines are only added (docs/decisions/0031): what is decided a thousand times a second is
// written as it comes, and put in order by those who read it.
import { accessSync, constants, mkdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { Clock } from '../../protocol/clock.ts'
import type { CheckedRecordLog } from '../record-log.ts'
import { syncFile } from './disk.ts'
import { folderFailure, laterRelease } from './failure.ts'
import { nameLeftOvers } from './left-over.ts'
import { recordReader } from './record-reader.ts'
import { LONGEST, recordWriter } from './record-writer.ts'
import { isOfLaterFormat } from './segment-name.ts'
import { segmentReader } from './segment-reader.ts'

interface Needs {
  readonly folder: string
  readonly clock: Clock
  readonly sync?: typeof syncFile
}

/** Rejects with an OperatorError when the folder cannot be used. */
export async function openRecords({ folder, clock, sync = syncFile }: Needs): Promise<CheckedRecordLog> {
  const segments = segmentReader(folder)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
    const strange = (await readdir(folder)).find(isOfLaterFormat)
    if (strange !== undefined) throw laterRelease(folder, strange)
    // Twice: a clock that is set back a little begins no quarrel.
    await nameLeftOvers(folder, segments, clock() - 2 * LONGEST)
  } catch (error) {
    throw folderFailure(error, folder)
  }
  return { ...recordReader(folder, segments), ...recordWriter({ folder, sync, clock }) }
}
