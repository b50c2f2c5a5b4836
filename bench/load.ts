// The load generator, a process of its own: sends one call over and over, bounded in number and time, tells the latencies.
import { Pool } from 'undici'
import { paced, type Sample, type Shape } from './pace.ts'

export interface Load extends Shape {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** A request with the id 1, of which each has another: a session knows its requests by them. */
  readonly body: string
}

const ID = '"id":1,'

async function run({ url, headers, body, ...shape }: Load): Promise<Sample> {
  const target = new URL(url)
  const pool = new Pool(target.origin, { connections: shape.concurrency, pipelining: 1 })
  const [before = '', after = ''] = body.split(ID)
  let id = 0
  const sample = await paced(async () => {
    id += 1
    const numbered = `${before}"id":${id},${after}`
    const answer = await pool.request({ path: target.pathname, method: 'POST', headers, body: numbered })
    const text = await answer.body.text()
    return answer.statusCode === 200 && text.includes('"result"') && !text.includes('"isError":true')
  }, shape)
  await pool.close()
  return sample
}

process.on('message', async (load: Load) => process.send?.(await run(load)))
