// The load generator, a process of its own: sends one call over and over, bounded in number and time, tells the latencies.
import { Pool } from 'undici'

export interface Load {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
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

async function run({ url, headers, body, concurrency, count, seconds }: Load): Promise<Sample> {
  const target = new URL(url)
  const pool = new Pool(target.origin, { connections: concurrency, pipelining: 1 })
  const end = performance.now() + seconds * 1000
  const latencies: number[] = []
  let [started, failed] = [0, 0]

  async function worker(): Promise<void> {
    while (started++ < count && performance.now() < end) {
      const at = performance.now()
      const answer = await pool.request({ path: target.pathname, method: 'POST', headers, body })
      const text = await answer.body.text()
      latencies.push(performance.now() - at)
      // A fast refusal is not a fast answer.
      if (answer.statusCode !== 200 || !text.includes('"result"') || text.includes('"isError":true')) failed++
    }
  }

  const began = performance.now()
  await Promise.all(Array.from({ length: concurrency }, worker))
  const elapsed = (performance.now() - began) / 1000
  await pool.close()
  latencies.sort((a, b) => a - b)
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN
  return { answered: latencies.length, failed, p50: at(0.5), p99: at(0.99), perSecond: latencies.length / elapsed }
}

process.on('message', async (load: Load) => process.send?.(await run(load)))
