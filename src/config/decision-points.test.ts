// Limits and decision points as an operator writes them: where a refusal points, what is printed, and beside each its positive twin.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const cwd = mkdtempSync(join(tmpdir(), 'portcullis-points-'))
const ADDRESSES: Readonly<Record<string, string>> = { 'opa.here': '127.0.0.1', 'opa.example.com': '203.0.113.7' }

const judge = (config: object): Promise<string> => {
  writeFileSync(join(cwd, 'portcullis.json'), JSON.stringify(config))
  const load = loadConfig({
    env: {},
    cwd,
    resolveHost: async (host) => (ADDRESSES[host] === undefined ? [] : [ADDRESSES[host]]),
  })
  return load.then(
    () => 'taken',
    (error: Error) => error.message,
  )
}

const point = (url: string, more: object = {}) => ({
  policy: { decisionPoints: { opa: { type: 'opa', url } } },
  ...more,
})

describe('a decision point', () => {
  it.each([
    ['https://opa.example.com/v1/data/mcp/allow', 'taken'],
    ['http://127.0.0.1:8181/v1/data/mcp/allow', 'taken'],
    ['http://opa.here:8181/v1/data/mcp/allow', 'taken'],
    [
      'http://opa.example.com/v1/data/mcp/allow',
      /policy\.decisionPoints\.opa\.url\n.*is http, and its host is not this machine/,
    ],
    ['https://key@opa.example.com/', /policy\.decisionPoints\.opa\.url\n.*under headers/],
  ])('at %s', async (url, expected) => {
    expect(await judge(point(url))).toMatch(expected)
  })

  it.each<[object, string | RegExp]>([
    [{ Authorization: 'Bearer k' }, 'taken'],
    [{ Host: 'other.example' }, /policy\.decisionPoints\.opa\.headers\.Host\n.*cannot be set/],
    [{ Authorization: 'a\nb' }, /policy\.decisionPoints\.opa\.headers\.Authorization\n.*no line break/],
  ])('with %j', async (headers, expected) => {
    const opa = { type: 'opa', url: 'https://opa.example.com/', headers }
    expect(await judge({ policy: { decisionPoints: { opa } } })).toMatch(expected)
  })

  it('over plain http anywhere, for development', async () => {
    expect(await judge(point('http://opa.example.com/', { server: { development: true } }))).toBe('taken')
  })
})

describe('a limit', () => {
  it.each<[object, string | RegExp]>([
    [{ rate: '120/min' }, 'taken'],
    [{ quota: '5000/day', to: ['group:contractors'], match: 'github/*' }, 'taken'],
    [{ rat: '120/min' }, /limits\[0\]\.rat\n.*Did you mean "rate"\?/],
    [{ to: ['*'] }, /limits\[0\]\n.*It limits nothing/],
    [{ rate: '120 per minute' }, /limits\[0\]\.rate\n.*such as 120\/min/],
    [{ rate: '1/s', per: ['address'] }, /limits\[0\]\.per\n.*principal, client, token/],
    [{ rate: '1/day', burst: 400 }, /limits\[0\]\.burst\n.*in a year/],
  ])('%j', async (limit, expected) => {
    expect(await judge({ limits: [limit] })).toMatch(expected)
  })
})
