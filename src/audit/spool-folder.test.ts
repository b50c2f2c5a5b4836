import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { claimSpoolFolder } from './spool-folder.ts'

it('leaves a living process its folder, and hands over those of the dead', async () => {
  const base = mkdtempSync(join(tmpdir(), 'portcullis-spool-'))
  // Beyond the largest pid Linux gives (4194304).
  for (const pid of [1, 99_999_999]) mkdirSync(join(base, String(pid)))
  expect(await claimSpoolFolder(base)).toEqual({
    own: join(base, String(process.pid)),
    abandoned: [join(base, '99999999')],
  })
})
