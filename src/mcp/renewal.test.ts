import { describe, expect, it } from 'vitest'
import type { Caller } from '../upstreams/caller.ts'
import { UpstreamRefused } from '../upstreams/credential.ts'
import { type RemoteUpstream, UpstreamError } from '../upstreams/upstream.ts'
import { refusedBy, withRenewal } from './renewal.ts'

const CALLER = {} as Caller
const REFUSED = { status: 401, challenge: undefined }
function remote(given?: string, personal?: boolean): RemoteUpstream {
  const known: Partial<RemoteUpstream> = { kind: 'remote', id: 'notes', ...(personal && { personal }) }
  return { ...known, ...(given && { given: { headers: { authorization: given } } }) } as RemoteUpstream
}

/** `takes`: the credentials that the server takes. */
function start(takes: readonly string[], renewals: readonly string[]) {
  const tried: [string | undefined, boolean][] = []
  const left = [...renewals]
  const reports: unknown[] = []
  const report = (id: string, outcome: object) => void reports.push({ id, ...outcome })
  const binding = {
    async renew() {
      const next = left.shift()
      return next === undefined ? undefined : remote(next)
    },
  }
  async function use({ given }: RemoteUpstream, last: boolean): Promise<string> {
    const shown = given?.headers['authorization']
    tried.push([shown, last])
    if (shown !== undefined && takes.includes(shown)) return 'answered'
    throw new UpstreamRefused(REFUSED)
  }
  const needs = { binding, report }
  const run = (given?: string, personal?: boolean) => withRenewal(needs, remote(given, personal), CALLER, use)
  return { tried, reports, run }
}

describe('a credential that is refused', () => {
  it('is had anew, and the server asked once more', async () => {
    const { run, tried, reports } = start(['new'], ['new'])
    expect(await run('old')).toBe('answered')
    expect(tried).toEqual([
      ['old', false],
      ['new', true],
    ])
    expect(reports).toEqual([])
  })

  it('and refused again, stays refused', async () => {
    const { run, tried } = start([], ['new', 'newer'])
    await expect(run('old')).rejects.toBeInstanceOf(UpstreamRefused)
    expect(tried).toHaveLength(2)
  })

  it('without another one, or without any, is tried once', async () => {
    const none = start([], [])
    await expect(none.run('old')).rejects.toBeInstanceOf(UpstreamRefused)
    expect(none.tried).toEqual([['old', false]])
    const plain = start([], ['new'])
    await expect(plain.run()).rejects.toBeInstanceOf(UpstreamRefused)
    expect(plain.tried).toEqual([[undefined, true]])
  })

  it.each([{ renewals: [] }, { renewals: ['new'] }])(
    'is told of the server, where it is not one person’s own: $renewals',
    async ({ renewals }) => {
      const shared = start([], renewals)
      await expect(shared.run('old')).rejects.toBeInstanceOf(UpstreamRefused)
      expect(shared.reports).toEqual([{ id: 'notes', ok: false, reason: 'upstream_unauthorized' }])
      const own = start([], renewals)
      await expect(own.run('old', true)).rejects.toBeInstanceOf(UpstreamRefused)
      expect(own.reports).toEqual([])
    },
  )

  it('is not had anew for another failure', async () => {
    const failing = () => Promise.reject(new UpstreamError('reset', 'It broke off.'))
    const binding = { renew: () => Promise.reject(new Error('asked')) }
    const needs = { binding, report: () => expect.unreachable() }
    await expect(withRenewal(needs, remote('old'), CALLER, failing)).rejects.toMatchObject({ reason: 'reset' })
  })
})

describe('RFC 6750 §3.1: what another credential may help against', () => {
  it.each([
    [401, undefined, true],
    [401, 'Bearer error="invalid_token"', true],
    [403, 'Bearer error="insufficient_scope", scope="a b"', true],
    [403, 'Bearer scope=a, error=insufficient_scope', true],
    [403, 'Bearer error="insufficient_scopes_of_mine"', false],
    [403, undefined, false],
    [407, 'Basic', false],
    [200, 'Bearer error="insufficient_scope"', false],
  ])('%d with %s: %s', (status, challenge, helps) => {
    const headers = challenge === undefined ? {} : { 'www-authenticate': challenge }
    expect(refusedBy(status, headers)).toEqual(helps ? { status, challenge } : undefined)
  })
})
