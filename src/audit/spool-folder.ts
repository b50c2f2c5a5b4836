// Each gate spools into a folder of its own below one base, so that another one, in this process or beside it, touches nothing of it.
import { mkdir, readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Folders of this process, by name: while the configuration changes two gates run in it. */
const claimed = new Set<string>()
let claims = 0

/** `own`: this gate's folder. `abandoned`: folders of gates that are gone, for restoring. */
export async function claimSpoolFolder(base: string): Promise<{ own: string; abandoned: string[] }> {
  await mkdir(base, { recursive: true, mode: 0o700 })
  const own = `${process.pid}-${++claims}`
  const names = (await readdir(base)).filter((name) => /^\d+-\d+$/.test(name))
  const abandoned = names.filter((name) => !isAlive(join(base, name), Number(name.split('-', 1)[0])))
  claimed.add(join(base, own))
  return { own: join(base, own), abandoned: abandoned.map((name) => join(base, name)) }
}

function isAlive(folder: string, pid: number): boolean {
  // In a container every gate is process 1: the number alone says nothing about an earlier one.
  if (pid === process.pid) return claimed.has(folder)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A folder whose segments are restored goes, unless something damaged was kept in it. */
export async function dropSpoolFolder(folder: string): Promise<void> {
  if ((await readdir(folder)).length === 0) await rmdir(folder)
}
