// What was connected for a server, after the configuration has made it another one: of the other kind of credential, or somewhere else.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CredentialsConfig } from '../../src/config/credentials.ts'
import { ConnectionNeeded } from '../../src/upstreams/credential.ts'
import { type Connecting, openConnecting } from '../support/connecting.ts'
import { startTokenGuarded, type TokenGuarded } from '../support/token-guarded.ts'
import { type GuardedUpstream, startGuardedUpstream } from '../support/upstream-auth.ts'

type Kind = Extract<CredentialsConfig['type'], 'oauth' | 'secret'>

let github: GuardedUpstream
let elsewhere: TokenGuarded
let directory: string
beforeEach(async () => {
  github = await startGuardedUpstream({ expiresIn: 600 })
  elsewhere = await startTokenGuarded({})
  directory = mkdtempSync(join(tmpdir(), 'portcullis-kept-'))
})
afterEach(async () => {
  await Promise.all([github.close(), elsewhere.close()])
  rmSync(directory, { recursive: true })
})

/** A gate over the same database, with this configuration. */
async function as<Result>(type: Kind, url: string, act: (gate: Connecting) => Promise<Result>): Promise<Result> {
  const storeUrl = `sqlite:${join(directory, 'portcullis.db')}`
  const gate = await openConnecting({ servers: [{ id: 'github', url, credentials: { type } }], directory, storeUrl })
  return act(gate).finally(gate.close)
}

const needed = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ConnectionNeeded)
  return (error as ConnectionNeeded).reason
}
const lapsed = async (gate: Connecting) =>
  (await gate.acts()).flatMap(({ act, subject, reason }) =>
    act === 'connection_lapsed' ? [`${subject} ${reason}`] : [],
  )
const kept = async (gate: Connecting, person = 'ann') =>
  (await gate.ground.vault.list(person)).map(({ field }) => field)
const paste = (gate: Connecting, person = 'ann') =>
  gate.ground.connections.paste(person, 'github', `pasted-by-${person}`)

describe('a server whose credential becomes one of the other kind', () => {
  it('is called with nothing that was connected before, which is kept no longer', async () => {
    await as('oauth', github.url, (gate) => gate.connect('ann', 'github'))
    await as('secret', github.url, async (gate) => {
      expect(await kept(gate)).toEqual(['oauth_tokens'])
      expect(await needed(gate.authorizationOf('ann', 'github'))).toBe('needs_reauth')
      expect(await needed(gate.authorizationOf('ann', 'github'))).toBe('needs_reauth')
      expect([await kept(gate), await lapsed(gate)]).toEqual([[], ['ann kind_changed']])
      await paste(gate)
      expect(await gate.authorizationOf('ann', 'github')).toBe('Bearer pasted-by-ann')
    })
    await as('oauth', github.url, async (gate) => {
      expect(await needed(gate.call('ann', 'github'))).toBe('needs_reauth')
      expect([await kept(gate), await lapsed(gate)]).toEqual([[], ['ann kind_changed', 'ann kind_changed']])
      await gate.connect('ann', 'github')
      expect(await gate.call('ann', 'github')).toBe('ann@there')
    })
  })

  it('shows what is left to its owner, who has to connect again; looking at it is enough', async () => {
    await as('secret', github.url, async (gate) => {
      await paste(gate)
      await paste(gate, 'bob')
    })
    await as('oauth', github.url, async (gate) => {
      const { connections } = gate.ground
      expect(await connections.list('ann')).toMatchObject([{ server: 'github', state: 'needs_reauth', kind: 'secret' }])
      expect([await kept(gate), await kept(gate, 'bob')]).toEqual([[], ['secret']])
      expect(await lapsed(gate)).toEqual(['ann kind_changed'])
      // Taken back without a look at it.
      expect(await connections.disconnect('bob', 'github')).toBe(true)
      expect([await kept(gate, 'bob'), await connections.list('bob')]).toEqual([[], []])
    })
  })
})

describe('a server that is somewhere else', () => {
  it('is not sent what was pasted for it where it was before', async () => {
    await as('secret', github.url, (gate) => paste(gate))
    await as('secret', elsewhere.url, async (gate) => {
      expect(await needed(gate.call('ann', 'github'))).toBe('needs_reauth')
      expect([await kept(gate), await lapsed(gate)]).toEqual([[], ['ann server_moved']])
      expect(gate.log.join('\n')).toContain('server_moved')
      expect(await gate.ground.connections.list('ann')).toMatchObject([{ state: 'needs_reauth' }])
      await paste(gate)
      expect(await gate.authorizationOf('ann', 'github')).toBe('Bearer pasted-by-ann')
    })
  })

  it('is not sent tokens that were given for it where it was before', async () => {
    await as('oauth', github.url, (gate) => gate.connect('ann', 'github'))
    const before = github.asked.length
    await as('oauth', elsewhere.url, async (gate) => {
      expect(await needed(gate.call('ann', 'github'))).toBe('needs_reauth')
      expect([await kept(gate), await lapsed(gate)]).toEqual([[], ['ann server_moved']])
    })
    expect(github.asked.length).toBe(before)
  })

  it('is not sent what somebody was allowing for it while it moved', async () => {
    const begun = await as('oauth', github.url, (gate) => gate.ground.connections.begin('ann', 'github'))
    const answer = (await fetch(begun.url, { redirect: 'manual' })).headers.get('location') ?? ''
    await as('oauth', elsewhere.url, async (gate) => {
      await gate.ground.connections.finish('ann', new URL(answer))
      expect(await needed(gate.call('ann', 'github'))).toBe('needs_reauth')
      expect(await lapsed(gate)).toEqual(['ann server_moved'])
    })
  })

  it('is not sent tokens that do not say where it was when they were given', async () => {
    await as('oauth', github.url, async (gate) => {
      await gate.connect('ann', 'github')
      const place = { principal: 'ann', upstream: 'github', field: 'oauth_tokens' }
      const { home, ...rest } = JSON.parse(`${(await gate.ground.vault.get(place))?.secret}`)
      expect(home).toBe(new URL(github.url).origin)
      await gate.ground.vault.put(place, Buffer.from(JSON.stringify(rest)))
      expect(await needed(gate.call('ann', 'github'))).toBe('needs_reauth')
      expect([await kept(gate), await lapsed(gate)]).toEqual([[], ['ann server_moved']])
      await gate.connect('ann', 'github')
      expect(await gate.call('ann', 'github')).toBe('ann@there')
    })
  })

  it('keeps both where only its path is another, and renewed tokens as well', async () => {
    const there = `${new URL(github.url).origin}/mcp?team=7`
    await as('oauth', github.url, async (gate) => {
      await gate.connect('ann', 'github')
      gate.clock.advance('10m')
      expect(await gate.call('ann', 'github')).toBe('ann@there')
    })
    expect(await as('oauth', there, (gate) => gate.call('ann', 'github'))).toBe('ann@there')
    expect(await as('oauth', elsewhere.url, (gate) => needed(gate.call('ann', 'github')))).toBe('needs_reauth')
    await as('secret', github.url, (gate) => paste(gate))
    expect(await as('secret', there, (gate) => gate.authorizationOf('ann', 'github'))).toBe('Bearer pasted-by-ann')
  })
})
