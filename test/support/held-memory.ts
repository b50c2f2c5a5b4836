// What this process holds, without what only waits to be collected: that is as large as the machine is slow.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes. */
export function heldMemory(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The most that is held at any time of it, beyond what was held before. */
export async function mostHeld(during: () => Promise<unknown>): Promise<number> {
  const before = heldMemory()
  let most = 0
  const look = (): void => {
    most = Math.max(most, heldMemory() - before)
  }
  const watch = setInterval(look, 100)
  try {
    await during()
  } finally {
    clearInterval(watch)
  }
  look()
  return most
}
