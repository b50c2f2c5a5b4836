// The load generator of the forward-auth rows, a process of its own: an ingress that asks over and over, bounded in number and time.
import { Pool } from 'undici'
import type { Sample } from './pace.ts'

export interface Asking {
  readonly origin: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Used in turn, one a request; none: the request goes without. */
  readonly tokens: readonly string[]
  readonly concurrency: number
  readonly count: number
  readonly seconds: number
}

async function run({ origin, path, headers, tokens, concurrency, count, seconds }: Asking): Promise<Sample> {
  const pool = new Pool(origin, { connections: concurrency, pipelining: 1 })
  const end = performance.now() + seconds * 1000
  const latencies: number[] = []
  let [started, failed] = [0, 0]

  async function worker(): Promise<void> {
    while (started < count && performance.now() < end) {
      const token = tokens[started++ % Math.max(1, tokens.length)]
      const at = performance.now()
      const sent = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` }
      const answer = await pool.request({ path, method: 'GET', headers: sent })
      await answer.body.dump()
      latencies.push(performance.now() - at)
      // A fast refusal is not a fast answer.
      if (answer.statusCode !== 200) failed++
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

process.on('message', async (asking: Asking) => process.send?.(await run(asking)))
