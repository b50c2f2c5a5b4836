// Which pages are led to the gate's own name, and that nothing else is.
import { describe, expect, it } from 'vitest'
import type { Exchange } from './exchange.ts'
import { underOwnName } from './own-name.ts'

interface Asked {
  readonly host: string
  readonly method?: string
  readonly query?: string
  readonly viaProxy?: boolean
}

/** Where it is led to, or `page`. */
function open(serverUrl: string, { host, method = 'GET', query = '', viaProxy = false }: Asked): string {
  const told: { shown: boolean; status?: number; location?: string } = { shown: false }
  const res = {
    setHeader: (name: string, value: string) => name === 'Location' && Object.assign(told, { location: value }),
    writeHead: (status: number) => Object.assign(told, { status }),
    end: () => undefined,
  }
  const exchange = { req: { method, headers: { host } }, res, path: '/setup', query, viaProxy }
  const page = underOwnName(serverUrl, () => Object.assign(told, { shown: true }) && undefined)
  page(exchange as unknown as Exchange)
  return told.shown ? 'page' : `${told.status} ${told.location}`
}

const OWN = 'http://localhost:4444'

describe('a page', () => {
  it.each([
    [OWN, '127.0.0.1:4444', `303 ${OWN}/setup`],
    [OWN, '[::1]:4444', `303 ${OWN}/setup`],
    ['http://127.0.0.1:4444', 'localhost:4444', '303 http://127.0.0.1:4444/setup'],
    ['https://localhost', '127.0.0.1', '303 https://localhost/setup'],
    ['https://localhost', '127.0.0.1:443', '303 https://localhost/setup'],
    [OWN, 'localhost:4444', 'page'],
    [OWN, 'LOCALHOST:4444', 'page'],
    [OWN, '127.0.0.1:4445', 'page'],
    [OWN, '127.0.0.1', 'page'],
    [OWN, '10.0.0.1:4444', 'page'],
    ['https://mcp.example.com', '127.0.0.1', 'page'],
    ['https://mcp.example.com', 'gate', 'page'],
    ['http://localhost:4444', 'mcp.example.com:4444', 'page'],
  ])('of %s, asked of %s: %s', (serverUrl, host, outcome) => {
    expect(open(serverUrl, { host })).toBe(outcome)
  })

  it('keeps its query', () => {
    expect(open(OWN, { host: '127.0.0.1:4444', query: 'token=a%26b&x=@evil.example' })).toBe(
      `303 ${OWN}/setup?token=a%26b&x=@evil.example`,
    )
  })

  it('is led for whoever only looks, and a form is not', () => {
    const host = '127.0.0.1:4444'
    expect(open(OWN, { host, method: 'HEAD' })).toBe(`303 ${OWN}/setup`)
    expect(open(OWN, { host, method: 'POST' })).toBe('page')
  })

  it('is shown behind a trusted proxy, whatever that calls us', () => {
    expect(open(OWN, { host: '127.0.0.1:4444', viaProxy: true })).toBe('page')
  })
})
