import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { claimSpoolFolder } from './spool-folder.ts'

it('leaves a living gate its folder, and hands over those of the dead', async () => {
  const base = mkdtempSync(join(tmpdir(), 'portcullis-spool-'))
  // Beyond the largest pid Linux gives (4194304); and ourselves, but of an earlier life with our number.
  for (const name of ['1-1', '99999999-1', `${process.pid}-999`]) mkdirSync(join(base, name))
  const first = await claimSpoolFolder(base)
  expect(first.abandoned.sort()).toEqual([join(base, '99999999-1'), join(base, `${process.pid}-999`)].sort())
  mkdirSync(first.own)
  const second = await claimSpoolFolder(base)
  expect(second.own).not.toBe(first.own)
  expect(second.abandoned).not.toContain(first.own)
})
