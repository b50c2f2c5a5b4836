// Waiting for what may never come.

/** What comes of the work, or `late` after so many milliseconds. Rejects as the work does. */
export function inTime<Result>(work: Promise<Result>, milliseconds: number, late: Result): Promise<Result> {
  const { promise, resolve } = Promise.withResolvers<Result>()
  const timer = setTimeout(resolve, milliseconds, late)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}
