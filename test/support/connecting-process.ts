// A replica of its own that calls one server for people: told what to do by lines of JSON, answers each with one.
import { createInterface } from 'node:readline'
import { ConnectionNeeded } from '../../src/upstreams/credential.ts'
import { testClock } from './clock.ts'
import { openConnecting } from './connecting.ts'

const [upstream = '', storeUrl = '', directory = '', ahead = '0s'] = process.argv.slice(2)
const clock = testClock()
clock.advance(ahead)
const servers = [{ id: 'github', url: upstream, credentials: { type: 'oauth' as const } }]
const gate = await openConnecting({ servers, storeUrl, directory, clock })

const outcomeOf = (person: string): Promise<string> =>
  gate.call(person, 'github').catch((error: unknown) => {
    if (error instanceof ConnectionNeeded) return error.reason
    const { step, message } = error as { step?: string; message: string }
    return step ?? message
  })

console.log(JSON.stringify('ready'))
for await (const line of createInterface({ input: process.stdin })) {
  const { advance, person, times = 1 } = JSON.parse(line) as { advance?: string; person?: string; times?: number }
  if (advance !== undefined) clock.advance(advance)
  const outcomes = person === undefined ? [] : await Promise.all(Array.from({ length: times }, () => outcomeOf(person)))
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  console.log(JSON.stringify(counts))
}
await gate.close()
