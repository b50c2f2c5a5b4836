import { expect, it } from 'vitest'
import { isChannel, transportOf } from './transports.ts'

it.each([
  [{ command: ['x'] }, 'stdio', true],
  [{ url: 'https://a.example/mcp' }, 'http', false],
  [{ url: 'https://a.example/mcp', transport: 'http' }, 'http', false],
  [{ url: 'https://a.example/sse', transport: 'sse' }, 'sse', true],
  [{ url: 'ws://a.example/mcp' }, 'websocket', true],
  [{ url: 'wss://a.example/mcp', transport: 'websocket' }, 'websocket', true],
] as const)('%j is spoken to over %s', (server, transport, channel) => {
  expect(transportOf(server)).toBe(transport)
  expect(isChannel(server)).toBe(channel)
})
