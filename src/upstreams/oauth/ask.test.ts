import { expect, it } from 'vitest'
import type { Fetch } from '../authorization-server/fetch.ts'
import { askFrom } from './ask.ts'

const as =
  (way: string, asked: string[]): Fetch =>
  async () => {
    asked.push(way)
    return { status: 200, headers: new Headers(), body: Buffer.alloc(0) }
  }

it.each([
  ['is asked from inside, where its name leads there', undefined, true, 'inside'],
  ['is asked from inside, where its name may lead there', ['private', 'public'], true, 'inside'],
  ['is asked as a stranger, where its name must not lead there', ['public'], true, 'named'],
  ['is asked as a stranger, where its name does not', undefined, false, 'named'],
] as const)('what a server names %s', async (_, addresses, leadsInside, way) => {
  const asked: string[] = []
  const [configured, inside, named] = ['configured', 'inside', 'named'].map((one) => as(one, asked)) as [
    Fetch,
    Fetch,
    Fetch,
  ]
  const asks = { configured, inside, named, leadsInside: async () => leadsInside }
  const ask = askFrom({ upstream: 'https://mcp.example/mcp', addresses, written: ['https://as.example'], asks })
  await ask('http://10.0.0.7/token')
  await ask('https://as.example/token')
  await ask('https://mcp.example/document')
  expect(asked).toEqual([way, 'configured', 'configured'])
})
