// A gate that is told to stop while nobody reads the decisions on its standard output: it stops, and says that lines are missing there.
import { once } from 'node:events'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Served, serve } from '../support/cli.ts'
import { listTools } from '../support/mcp.ts'

/** More than any pipe or socket holds. */
const TOGETHER = 50
const ROUNDS = 40

let served: Served
beforeEach(async () => {
  served = await serve({ servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }] })
})
afterEach(() => served?.close())

/** Refused calls, which are recorded as any other: their ids. */
async function knock(): Promise<(string | null)[]> {
  const asked = Array.from({ length: TOGETHER }, () => listTools(`${served.url}/servers/notes/mcp`, 'no-token-of-ours'))
  return (await Promise.all(asked)).map(({ headers }) => headers.get('x-request-id'))
}

it('ends when all is written, where somebody reads', async () => {
  const ids = await knock()
  served.child.kill('SIGTERM')
  const { code, stdout, stderr } = await served.ended()
  expect(ids.filter((id) => id === null || !stdout.includes(id))).toEqual([])
  expect([code, stderr.includes('takes no more decision lines')]).toEqual([0, false])
})

it('ends where nobody does, too', async () => {
  served.child.stdout?.pause()
  for (let round = 0; round < ROUNDS; round += 1) await knock()
  served.child.kill('SIGTERM')
  expect(await once(served.child, 'exit')).toEqual([0, null])
  // What it said last may come after the news of its end.
  await served.says(/stdout takes no more decision lines/)
  served.child.stdout?.resume()
})
