import { describe, expect, it } from 'vitest'
import { adminWarnings, isOpenHere, isReachable, localAdministrator } from './admin.ts'

describe('a gate that other machines reach', () => {
  it.each<[string, string, boolean]>([
    ['127.0.0.1:4444', 'http://localhost:4444', false],
    ['[::1]:4444', 'http://127.0.0.1:4444', false],
    ['unix:/run/portcullis.sock', 'http://localhost', false],
    ['0.0.0.0:4444', 'http://localhost:4444', true],
    [':4444', 'http://localhost:4444', true],
    ['10.0.0.5:4444', 'http://localhost:4444', true],
    ['127.0.0.1:4444', 'https://mcp.example.com', true],
    ['unix:/run/portcullis.sock', 'https://mcp.example.com', true],
  ])('%s, called %s: %s', (listen, url, expected) => {
    expect(isReachable({ listen, url })).toBe(expected)
  })
})

describe('the local administrator', () => {
  it.each<[object, { user: string; password: string } | undefined]>([
    [{}, undefined],
    [{ user: 'root' }, undefined],
    [{ user: 'root', password: '' }, undefined],
    [{ password: 'p' }, { user: 'admin', password: 'p' }],
    [
      { user: 'root', password: 'p' },
      { user: 'root', password: 'p' },
    ],
  ])('%j: %j', (given, expected) => {
    expect(localAdministrator({ required: true, ...given })).toEqual(expected)
  })
})

describe('an administration that asks nobody', () => {
  const here = { listen: '127.0.0.1:4444', url: 'http://localhost:4444' }
  it.each<[boolean, object, boolean, RegExp | undefined]>([
    [true, {}, false, undefined],
    [false, {}, true, /from this machine administers it/],
    [false, { listen: '0.0.0.0:4444' }, false, /means nothing here/],
    [false, { url: 'https://mcp.example.com' }, false, /means nothing here/],
  ])('required %s, %j: %s, and says so', (required, bend, open, words) => {
    const server = { ...here, ...bend }
    expect(isOpenHere({ required }, server)).toBe(open)
    const warnings = adminWarnings({ admin: { required }, server })
    expect(warnings).toEqual(words === undefined ? [] : [expect.stringMatching(words)])
  })
})
