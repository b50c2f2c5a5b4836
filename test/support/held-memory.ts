// What this process holds, without what only waits to be collected: that is as large as the machine is slow.
import { setTimeout as pause } from 'node:timers/promises'
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

/** The same in a quiet moment: what lies outside of its heap the collector gives back only after it has answered. */
export async function settledMemory(): Promise<number> {
  for (let turn = 0; turn < 5; turn++) {
    collect()
    await pause(50)
  }
  return heldMemory()
}

/** The most that is held at any time of it, beyond what was held before. */
export async function mostHeld(during: () => Promise<unknown>): Promise<number> {
  const before = heldMemory()
  let most = 0
  let next: NodeJS.Timeout | undefined
  const look = (): void => {
    const began = performance.now()
    most = Math.max(most, heldMemory() - before)
    // Collecting takes long where much is held and the machine is slow: it has a third of the time at most.
    next = setTimeout(look, 100 + 2 * (performance.now() - began))
  }
  look()
  try {
    await during()
  } finally {
    clearTimeout(next)
  }
  return Math.max(most, heldMemory() - before)
}
