import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { configuredFetch } from './configured-fetch.ts'
import type { Resolve } from './outbound.ts'

const server = createServer((req, res) => res.end(`${req.method} ${req.headers.host}`))
let port = 0
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => server.close())

async function ask(url: string, resolve: Resolve, init?: RequestInit): Promise<string> {
  const asking = configuredFetch(resolve)
  try {
    return await (await asking.fetch(url, init)).text()
  } catch (error) {
    return String((error as Error).cause)
  } finally {
    await asking.close()
  }
}

it('asks what it was given for a name, goes there, and says whom it wants', async () => {
  const asked: string[] = []
  const resolve: Resolve = async (host) => {
    asked.push(host)
    return ['127.0.0.1', '::1']
  }
  expect(await ask(`http://idp.example:${port}/`, resolve, { method: 'POST' })).toBe(`POST idp.example:${port}`)
  expect(asked).toEqual(['idp.example'])
})

it('asks nobody where an address is written', async () => {
  const resolve: Resolve = () => Promise.reject(new Error('asked for a name'))
  expect(await ask(`http://127.0.0.1:${port}/`, resolve)).toBe(`GET 127.0.0.1:${port}`)
})

it('fails as a fetch does, with the cause, where nobody knows the name, and asks nobody else', async () => {
  const url = `http://localhost:${port}/`
  expect(await ask(url, () => Promise.reject(new Error('nobody knows')))).toBe('Error: nobody knows')
  expect(await ask(url, async () => [])).toBe('Error: There is no address for localhost.')
})
