import { describe, expect, it } from 'vitest'
import { formatListen, isLoopback, localUrl, parseListen, parseSocketPath } from './listen.ts'

describe('parseListen', () => {
  it.each([
    ['127.0.0.1:4444', { host: '127.0.0.1', port: 4444 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    [':4444', { host: '::', port: 4444 }],
    ['4444', { host: '127.0.0.1', port: 4444 }],
    ['gate.internal:0', { host: 'gate.internal', port: 0 }],
  ])('%s', (text, listen) => {
    expect(parseListen(text)).toEqual(listen)
  })

  it.each(['', 'host', 'host:', 'host:99999', 'http://host:1', '1.2.3.4:5:6'])('refuses %j', (text) => {
    expect(parseListen(text)).toBeUndefined()
  })

  it('is undone by formatListen', () => {
    expect(formatListen({ host: '::1', port: 80 })).toBe('[::1]:80')
    expect(formatListen({ host: '0.0.0.0', port: 4444 })).toBe('0.0.0.0:4444')
  })
})

describe('parseSocketPath', () => {
  it.each([
    ['unix:/run/portcullis.sock', '/run/portcullis.sock'],
    [' unix:/run/a b/x ', '/run/a b/x'],
    [`unix:/${'a'.repeat(106)}`, `/${'a'.repeat(106)}`],
  ])('%s', (text, path) => {
    expect(parseSocketPath(text)).toBe(path)
    expect(parseListen(text)).toBeUndefined()
  })
  it.each([
    'unix:',
    'unix:/',
    'unix:run/x',
    'unix:/run/',
    'unix:/a\0b',
    '/run/x',
    `unix:/${'a'.repeat(107)}`,
    'Unix:/run/x',
  ])('refuses %j', (text) => {
    expect(parseSocketPath(text)).toBeUndefined()
  })
})

it('localUrl leaves out the port that a browser adds', () => {
  expect([localUrl({ port: 80 }, false), localUrl({ port: 443 }, true)]).toEqual([
    'http://localhost',
    'https://localhost',
  ])
  expect([localUrl({ port: 443 }, false), localUrl({ port: 4444 }, true)]).toEqual([
    'http://localhost:443',
    'https://localhost:4444',
  ])
})

describe('isLoopback', () => {
  it.each(['localhost', 'a.localhost', '127.0.0.1', '127.8.9.1', '[::1]', 'LOCALHOST.'])('%s', (host) => {
    expect(isLoopback(host)).toBe(true)
  })
  it.each(['localhost.example.com', '128.0.0.1', '10.0.0.1', '127.0.0.1.example.com', '::'])('not %s', (host) => {
    expect(isLoopback(host)).toBe(false)
  })
})
