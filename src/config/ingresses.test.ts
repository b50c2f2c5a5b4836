import { describe, expect, it } from 'vitest'
import { ingressWarnings } from './ingresses.ts'
import { Config, type ConfigInput, type Config as Settled } from './schema.ts'

const warningsOf = (given: ConfigInput): string[] => {
  const parsed = Config.parse(given)
  return ingressWarnings({ ...parsed, server: { ...parsed.server, url: 'https://gate.example.com' } } as Settled)
}
const PROTECTED = { resources: [{ host: 'app.example.com' }] }

describe('what is said at the start of ingresses', () => {
  it('that only this machine is answered, where none is named', () => {
    expect(warningsOf({ forwardAuth: PROTECTED })).toEqual([expect.stringMatching(/app\.example\.com.*10\.0\.0\.0\/8/)])
    expect(warningsOf({ forwardAuth: PROTECTED, server: { trustedProxies: ['10.0.0.0/8'] } })).toEqual([])
    expect(warningsOf({})).toEqual([])
  })

  it.each<[string, boolean]>([
    ['127.0.0.1:4445', false],
    ['[::1]:4445', false],
    ['4445', false],
    ['0.0.0.0:4445', true],
    [':4445', true],
    ['10.0.0.5:4445', true],
  ])('that tokens pass a network in the clear: gRPC on %s, %s', (grpc, warns) => {
    const tls = { cert: 'a.crt', key: 'a.key' }
    const proxies = { trustedProxies: ['10.0.0.0/8'] }
    const expected = warns ? [expect.stringContaining('server.tls')] : []
    expect(warningsOf({ forwardAuth: { grpc }, server: proxies })).toEqual(expected)
    expect(warningsOf({ forwardAuth: { grpc }, server: { ...proxies, tls } })).toEqual([])
    expect(warningsOf({ forwardAuth: { grpc }, server: proxies, doors: { decision: false } })).toEqual([])
  })
})
