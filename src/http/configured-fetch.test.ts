import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDocumentHost } from '../../test/support/document-host.ts'
import { type ForwardProxy, startForwardProxy } from '../../test/support/forward-proxy.ts'
import { configuredFetch } from './configured-fetch.ts'
import type { Resolve } from './outbound.ts'

const server = createServer((req, res) => res.end(`${req.method} ${req.headers.host}`))
let port = 0
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => server.close())

const innermost = ({ cause }: Error): unknown => (cause instanceof Error && cause.cause ? innermost(cause) : cause)

async function ask(url: string, resolve: Resolve, init?: RequestInit, environment = {}): Promise<string> {
  const asking = configuredFetch(resolve, environment)
  try {
    return await (await asking.fetch(url, init)).text()
  } catch (error) {
    return String(innermost(error as Error))
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

describe('a proxy of the environment', () => {
  let proxy: ForwardProxy
  beforeAll(async () => {
    proxy = await startForwardProxy({ password: 'gate:s3cret' })
  })
  afterAll(() => proxy.close())

  const environment = (more: Record<string, string> = {}) => ({
    NODE_USE_ENV_PROXY: '1',
    HTTP_PROXY: `http://gate:s3cret@egress.example:${proxy.port}`,
    ...more,
  })
  /** Knows the proxy, and nothing beyond it. */
  const inside: Resolve = (host) =>
    host === 'egress.example' ? Promise.resolve(['127.0.0.1']) : Promise.reject(new Error(`asked for ${host}`))

  it('is gone through where Node is told so, and looks the name up itself', async () => {
    const before = proxy.asked.length
    expect(await ask(`http://localhost:${port}/`, inside, { method: 'POST' }, environment())).toBe(
      `POST localhost:${port}`,
    )
    expect(proxy.asked.slice(before)).toEqual([`localhost:${port}`])
  })

  it('sees nothing but the way of what is spoken over TLS', async () => {
    const host = await startDocumentHost()
    host.answer((_req, res) => res.end('over TLS'))
    const { HTTP_PROXY } = environment()
    const answer = await ask(`${host.origin}/keys`, inside, {}, { NODE_USE_ENV_PROXY: '1', HTTPS_PROXY: HTTP_PROXY })
    expect([answer, proxy.asked.at(-1)]).toEqual(['over TLS', `127.0.0.1:${host.port}`])
    await host.close()
  })

  it.each([
    ['the list names the host', { NO_PROXY: 'other.example, localhost' }],
    ['the list names a domain above it', { NO_PROXY: '.example.com,localhost', no_proxy: '.localhost' }],
    ['the list names everything', { NO_PROXY: '*' }],
    ['there is none for the scheme', { HTTP_PROXY: '', HTTPS_PROXY: 'http://egress.example:1' }],
    ['the switch is not on', { NODE_USE_ENV_PROXY: '' }],
    ['the switch is off', { NODE_USE_ENV_PROXY: '0' }],
  ])('is passed by, and the name looked up here, where %s', async (_, more) => {
    const before = proxy.asked.length
    const url = `http://localhost:${port}/`
    expect(await ask(url, async () => ['127.0.0.1'], {}, environment(more))).toBe(`GET localhost:${port}`)
    expect(await ask(url, inside, {}, environment(more))).toBe('Error: asked for localhost')
    expect(proxy.asked).toHaveLength(before)
  })

  it('is not passed by where it refuses, or is not there', async () => {
    const wrong = environment({ http_proxy: `http://gate:wrong@egress.example:${proxy.port}` })
    expect(await ask(`http://localhost:${port}/`, inside, {}, wrong)).toMatch(/Proxy response \(407\)/)
    const elsewhere = environment({ HTTP_PROXY: 'http://nowhere.example:3128' })
    expect(await ask(`http://localhost:${port}/`, inside, {}, elsewhere)).toBe('Error: asked for nowhere.example')
  })
})
