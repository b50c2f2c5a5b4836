// One call over and over, bounded in number and time: how long each took, and how many were not answered with a result.
export interface Shape {
  readonly concurrency: number
  readonly count: number
  readonly seconds: number
}

export interface Sample {
  readonly answered: number
  readonly failed: number
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
}

/** `call` says whether it was answered with a result: a fast refusal is not a fast answer. */
export async function paced(call: () => Promise<boolean>, { concurrency, count, seconds }: Shape): Promise<Sample> {
  const end = performance.now() + seconds * 1000
  const latencies: number[] = []
  let [started, failed] = [0, 0]

  async function worker(): Promise<void> {
    while (started++ < count && performance.now() < end) {
      const at = performance.now()
      const isAnswered = await call()
      latencies.push(performance.now() - at)
      if (!isAnswered) failed++
    }
  }

  const began = performance.now()
  await Promise.all(Array.from({ length: concurrency }, worker))
  const elapsed = (performance.now() - began) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN
  return { answered: latencies.length, failed, p50: at(0.5), p99: at(0.99), perSecond: latencies.length / elapsed }
}
