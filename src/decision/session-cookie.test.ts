import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { sessionCookies } from './session-cookie.ts'

const APP = 'https://app.example.com'
const HOUR = 3_600_000

function setup() {
  const state = { now: 1_700_000_000_000, keys: [{ key: randomBytes(32) }] }
  return {
    state,
    ...sessionCookies({ sealKeys: () => state.keys, clock: () => state.now, name: 'gate', ttl: 8 * HOUR }),
  }
}

const pairOf = (line: string): string => line.split(';', 1)[0] ?? ''

describe('the cookie of a protected host', () => {
  it('is the host’s own, and no script’s', () => {
    const { issue } = setup()
    expect(issue(APP, 'ann')).toMatch(/^__Host-gate=[\w-]+; Path=\/; Max-Age=28800; HttpOnly; SameSite=Lax; Secure$/)
    expect(issue('http://app.localhost', 'ann')).toMatch(
      /^gate=[\w-]+; Path=\/; Max-Age=28800; HttpOnly; SameSite=Lax$/,
    )
  })

  it('says who is signed in until it ends', () => {
    const { issue, read, state } = setup()
    const cookies = `other=1; ${pairOf(issue(APP, 'ann'))}; more=2`
    expect(read(cookies, APP)).toMatchObject({ subject: 'ann', issuedAt: state.now, expiresAt: state.now + 8 * HOUR })
    expect(read(cookies, APP)).toBe(read(cookies, APP))
    state.now += 8 * HOUR
    expect(read(cookies, APP)).toBe('ended')
  })

  it('says nothing at another host, under another name, or twice', () => {
    const { issue, read } = setup()
    const pair = pairOf(issue(APP, 'ann'))
    expect(read(pair, 'https://other.example.com')).toBe('ended')
    expect(read(pair.replace('__Host-', ''), APP)).toBeUndefined()
    expect(read(`${pair}; ${pair}`, APP)).toBeUndefined()
    expect(read(undefined, APP)).toBeUndefined()
    expect(read('x=gate', APP)).toBeUndefined()
  })

  it('is made by us alone', () => {
    const { issue, read } = setup()
    const stranger = setup()
    expect(read(pairOf(stranger.issue(APP, 'root')), APP)).toBe('ended')
    const pair = pairOf(issue(APP, 'ann'))
    expect(read(pair.slice(0, -2), APP)).toBe('ended')
    expect(read(`${pair.slice(0, -4)}${pair.at(-4) === 'A' ? 'B' : 'A'}${pair.slice(-3)}`, APP)).toBe('ended')
  })
})

describe('the secret of a browser that set out', () => {
  it('is kept by the browser, and shared by its tabs', () => {
    const { startOf, nonce } = setup()
    const first = startOf(undefined, APP)
    expect(first.line).toMatch(/^__Host-gate_start=[\w-]{43}; Path=\/; Max-Age=1800; HttpOnly; SameSite=Lax; Secure$/)
    const cookies = pairOf(first.line)
    expect(nonce(cookies, APP)).toBe(first.nonce)
    expect(startOf(cookies, APP).nonce).toBe(first.nonce)
    expect(startOf(undefined, APP).nonce).not.toBe(first.nonce)
  })

  it('has one form', () => {
    const { nonce } = setup()
    expect(nonce('__Host-gate_start=short', APP)).toBeUndefined()
    expect(nonce(`gate_start=${'a'.repeat(43)}`, APP)).toBeUndefined()
  })
})
