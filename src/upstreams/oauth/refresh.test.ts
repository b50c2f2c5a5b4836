import { afterEach, describe, expect, it } from 'vitest'
import { openStore } from '../../store/open.ts'
import type { Store } from '../../store/store.ts'
import type { LapseReason } from '../lapse.ts'
import { createRefresher, isDue } from './refresh.ts'
import type { TokenOutcome } from './token.ts'
import type { Held, HeldTokens } from './tokens-held.ts'

const NOW = 1_800_000_000_000
const server = { issuer: 'https://as.example', authorization_endpoint: '', token_endpoint: '' }
const tokens = (given: Partial<HeldTokens> = {}): HeldTokens => ({
  ...{
    accessToken: 'at',
    refreshToken: 'rt',
    expiresAt: NOW,
    obtainedAt: NOW - 600_000,
    scopes: [],
    clientId: 'c',
    home: 'https://mcp.example',
    server,
  },
  ...given,
})

let store: Store | undefined
afterEach(() => store?.close())

/** One replica over a vault of one secret. */
async function replica(outcomes: readonly (TokenOutcome | Error)[]) {
  store = await openStore({ url: 'sqlite::memory:', directory: '.' })
  const { connections } = store.durable
  let held: Held | undefined = { tokens: tokens(), version: 1 }
  let now = NOW
  let failing = 0
  let onSend = (): void => undefined
  const [sent, lapsed, discarded, left]: [string[], LapseReason[], string[], (TokenOutcome | Error)[]] = [
    [],
    [],
    [],
    [...outcomes],
  ]
  await connections.connect({
    ...{ principal: 'ann', server: 'github', kind: 'oauth', scopes: [], asked: [], issuer: server.issuer },
    ...{ connectedAt: NOW, version: 1 },
  })
  const refresher = createRefresher({
    id: 'github',
    records: connections,
    held: {
      find: async () => held,
      findNewest: async () => held,
      async put(_person, _server, made, expected) {
        if (failing-- > 0) throw new Error('the store is away')
        if (held?.version !== expected) return { status: 'conflict' }
        held = { tokens: made, version: (expected ?? 0) + 1 }
        return { status: 'stored', version: held.version }
      },
      remove: async () => true,
    },
    serverNow: async (known) => known,
    findClient: async (_server, id) => ({ id, prove: async () => ({ headers: {}, form: {} }) }),
    async send(_from, refreshToken) {
      sent.push(refreshToken)
      onSend()
      const outcome = left.shift()
      if (outcome === undefined || outcome instanceof Error) throw outcome ?? new Error('not scripted')
      return outcome
    },
    discard: async ({ accessToken }) => void discarded.push(accessToken),
    async lapse(principal, version, reason) {
      lapsed.push(reason)
      await connections.expire(principal, 'github', version)
    },
    forgetClient: async () => false,
    clock: () => now,
    async pause(milliseconds) {
      now += milliseconds
    },
    warn: () => undefined,
  })
  return {
    ...{ sent, lapsed, discarded },
    refresh: (forced = false) => refresher.refresh('ann', held ?? { tokens: tokens(), version: 0 }, forced),
    replace: (next: Held | undefined) => {
      held = next
    },
    failPuts: (times: number) => {
      failing = times
    },
    duringSend: (act: () => void) => {
      onSend = act
    },
    later: (milliseconds: number) => {
      now += milliseconds
    },
  }
}

const given = (accessToken: string, refreshToken?: string): TokenOutcome => ({
  status: 'tokens',
  tokens: { accessToken, refreshToken, expiresIn: 600, scopes: undefined },
})

describe('the exchange of a refresh token', () => {
  it('keeps the one before where it is not rotated (RFC 6749 §6)', async () => {
    const { refresh, sent } = await replica([given('at2'), given('at3', 'rt3')])
    expect((await refresh()).tokens).toMatchObject({ accessToken: 'at2', refreshToken: 'rt' })
    expect((await refresh()).tokens).toMatchObject({ accessToken: 'at3', refreshToken: 'rt3' })
    expect(sent).toEqual(['rt', 'rt'])
  })

  it('that broke off is tried once more, and then never again', async () => {
    const { refresh, sent, lapsed, later } = await replica([new Error('killed'), new Error('killed again'), given('x')])
    await expect(refresh()).rejects.toThrow('killed')
    later(30_000)
    await expect(refresh()).rejects.toThrow('killed again')
    later(30_000)
    await expect(refresh()).rejects.toMatchObject({ reason: 'needs_reauth' })
    expect([sent.length, lapsed]).toEqual([2, ['refresh_lost']])
    await expect(refresh()).rejects.toMatchObject({ reason: 'needs_reauth' })
    expect(sent).toHaveLength(2)
  })

  it('that broke off and is taken the second time goes on as before', async () => {
    const { refresh, later, lapsed } = await replica([new Error('killed'), given('at2'), new Error('x'), given('at3')])
    await expect(refresh()).rejects.toThrow('killed')
    // Nobody else waits for the lease of the dead any longer than it lasts.
    expect((await refresh()).tokens.accessToken).toBe('at2')
    await expect(refresh()).rejects.toThrow('x')
    later(30_000)
    expect((await refresh()).tokens.accessToken).toBe('at3')
    expect(lapsed).toEqual([])
  })

  it('counts for nothing where the person has connected anew meanwhile', async () => {
    const { refresh, discarded, duringSend, replace } = await replica([given('late')])
    duringSend(() => replace({ tokens: tokens({ accessToken: 'newer' }), version: 5 }))
    expect((await refresh()).tokens.accessToken).toBe('newer')
    // Giving it back could end the newer one, too.
    expect(discarded).toEqual([])
  })

  it('gives back what came when the person had disconnected', async () => {
    const { refresh, discarded, duringSend, replace } = await replica([given('late')])
    duringSend(() => replace(undefined))
    await expect(refresh()).rejects.toMatchObject({ reason: 'not_connected' })
    expect(discarded).toEqual(['late'])
  })

  it('is stored when the store is there again', async () => {
    const { refresh, failPuts, sent } = await replica([given('at2', 'rt2')])
    failPuts(9)
    expect((await refresh()).tokens).toMatchObject({ accessToken: 'at2', refreshToken: 'rt2' })
    expect(sent).toEqual(['rt'])
  })

  it('is not made for a token that a server refuses and nothing can replace', async () => {
    const { refresh, replace, lapsed } = await replica([])
    const { refreshToken: _, ...without } = tokens()
    replace({ tokens: without, version: 1 })
    await expect(refresh(true)).rejects.toMatchObject({ reason: 'needs_reauth' })
    expect(lapsed).toEqual(['upstream_token_refused'])
  })
})

describe('when it is due', () => {
  it.each([
    ['says nothing of its end', {}, undefined, false],
    ['long before', {}, NOW + 61_000, false],
    ['ahead of its end', {}, NOW + 60_000, true],
    ['short-lived, in its first half', { obtainedAt: NOW - 10_000 }, NOW + 20_000, false],
    ['short-lived, in its second half', { obtainedAt: NOW - 20_000 }, NOW + 20_000, true],
  ])('%s', (_, more, expiresAt, expected) => {
    const { expiresAt: __, ...rest } = tokens(more)
    expect(isDue(expiresAt === undefined ? rest : { ...rest, expiresAt }, NOW, 60_000)).toBe(expected)
  })

  it('at its end alone, where there is nothing to exchange', () => {
    const { refreshToken: _, ...rest } = tokens({ expiresAt: NOW + 1 })
    expect([isDue(rest, NOW, 60_000), isDue(rest, NOW + 1, 60_000)]).toEqual([false, true])
  })
})
