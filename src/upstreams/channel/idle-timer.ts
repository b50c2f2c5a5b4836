// One timer that is set anew at each sign of life.

export function idleTimer(onEnd: () => void): { restart(after: number): void; stop(): void } {
  let timer: NodeJS.Timeout | undefined
  const stop = () => clearTimeout(timer)
  return {
    stop,
    restart(after) {
      stop()
      // Node counts in 32 bits; beyond that it would fire at once.
      timer = setTimeout(onEnd, Math.min(after, 2 ** 31 - 1))
    },
  }
}
