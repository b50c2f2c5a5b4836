// Each process spools into a folder of its own below one base, so that a second gate on the same machine touches nothing of the first.
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** `own`: this process's folder. `abandoned`: folders of processes that are gone, for restoring. */
export async function claimSpoolFolder(base: string): Promise<{ own: string; abandoned: string[] }> {
  await mkdir(base, { recursive: true, mode: 0o700 })
  const pids = (await readdir(base)).filter((name) => /^\d+$/.test(name)).map(Number)
  const abandoned = pids.filter((pid) => pid !== process.pid && !isAlive(pid))
  return { own: join(base, String(process.pid)), abandoned: abandoned.map((pid) => join(base, String(pid))) }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
