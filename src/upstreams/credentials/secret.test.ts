import { describe, expect, it } from 'vitest'
import type { SecretPlace } from '../../protocol/vault.ts'
import type { ConnectionRecord } from '../../store/connections.ts'
import type { Caller } from '../caller.ts'
import { keptText, secretPlace } from '../pasted-secret.ts'
import { secretCredential } from './secret.ts'

const caller = (subject: string, kind = 'person'): Caller =>
  ({ principal: { kind, subject }, rawHeaders: [] }) as unknown as Caller
const [ANN, BOB] = [caller('ann'), caller('bob')]
const HOME = 'https://notes.example'
const REFUSED = { status: 401, challenge: undefined }

function start(settings: { header: string; prefix: string } = { header: 'Authorization', prefix: 'Bearer ' }) {
  const kept = new Map<string, { secret: string; version: number }>()
  const states = new Map<string, ConnectionRecord['state']>()
  const touched: string[] = []
  const lapsed: string[] = []
  const opened: Buffer[] = []
  const time = { now: 1_000_000_000 }
  const keyOf = ({ principal, upstream, field }: SecretPlace) => `${principal} ${upstream} ${field}`
  const credential = secretCredential('notes', settings, {
    vault: {
      async get(place) {
        const found = kept.get(keyOf(place))
        if (found === undefined) return undefined
        const secret = Buffer.from(found.secret)
        opened.push(secret)
        return { secret, version: found.version }
      },
    },
    records: {
      async find(principal) {
        const state = states.get(principal)
        return state && ({ state } as ConnectionRecord)
      },
      async touch(principal) {
        touched.push(principal)
      },
    },
    home: HOME,
    async lapse({ principal, server, version }, reason) {
      const place = keyOf(secretPlace(principal, server))
      if (kept.get(place)?.version === version) kept.delete(place)
      states.set(principal, 'needs_reauth')
      lapsed.push(`${principal} ${reason}`)
    },
    clock: () => time.now,
    onError(error) {
      throw error
    },
  })
  let version = 0
  const keep = (person: string, secret: string) => {
    states.set(person, 'connected')
    kept.set(`${person} notes secret`, { secret, version: ++version })
  }
  const paste = (person: string, secret: string) => keep(person, keptText(secret, HOME))
  return { credential, keep, paste, kept, opened, touched, lapsed, time }
}

describe('a pasted secret', () => {
  it('is that of its own person, in the configured field', async () => {
    const { credential, paste } = start({ header: 'X-Api-Key', prefix: '' })
    paste('ann', 'hers')
    paste('bob', 'his')
    expect(await credential.given(ANN)).toEqual({ headers: { 'x-api-key': 'hers' } })
    expect(await credential.given(BOB)).toEqual({ headers: { 'x-api-key': 'his' } })
    expect(await credential.given(ANN)).toBe(await credential.given(ANN))
    expect(credential.personal).toBe(true)
  })

  it('is asked of the vault each time, and what was opened is overwritten whether it was new or not', async () => {
    const { credential, paste, kept, opened } = start()
    paste('ann', 'hers')
    await credential.given(ANN)
    await credential.given(ANN)
    expect(opened.map((secret) => secret.every((byte) => byte === 0))).toEqual([true, true])
    paste('ann', 'next')
    expect(await credential.given(ANN)).toEqual({ headers: { authorization: 'Bearer next' } })
    kept.clear()
    await expect(credential.given(ANN)).rejects.toMatchObject({ name: 'ConnectionNeeded' })
  })

  it('that is missing has to be connected; nobody, and the gate itself, have none', async () => {
    const { credential } = start()
    await expect(credential.given(ANN)).rejects.toMatchObject({ name: 'ConnectionNeeded', reason: 'not_connected' })
    await expect(credential.given(caller('anonymous', 'anonymous'))).rejects.toMatchObject({ step: 'nobody' })
    await expect(credential.given(undefined)).rejects.toMatchObject({ step: 'nobody' })
  })

  it('that was refused is taken away, and a newer one is tried in its place', async () => {
    const { credential, paste, kept, lapsed } = start()
    paste('ann', 'old')
    const old = await credential.given(ANN)
    paste('ann', 'new')
    expect(await credential.renewed?.(ANN, old, REFUSED)).toEqual({ headers: { authorization: 'Bearer new' } })
    const refused = credential.renewed?.(ANN, await credential.given(ANN), REFUSED)
    await expect(refused).rejects.toMatchObject({ name: 'ConnectionNeeded', reason: 'needs_reauth' })
    expect(kept.size).toBe(0)
    await expect(credential.given(ANN)).rejects.toMatchObject({ reason: 'needs_reauth' })
    expect(lapsed).toEqual(['ann upstream_token_refused'])
  })

  it('that is only not enough stays', async () => {
    const { credential, paste, kept } = start()
    paste('ann', 'hers')
    expect(await credential.renewed?.(ANN, await credential.given(ANN), { ...REFUSED, status: 403 })).toBeUndefined()
    expect(kept.size).toBe(1)
  })

  it('that is a token counts until its end', async () => {
    const { credential, paste, time, lapsed } = start()
    const claims = Buffer.from(JSON.stringify({ exp: time.now / 1000 + 60 })).toString('base64url')
    paste('ann', `e30.${claims}.x`)
    await credential.given(ANN)
    time.now += 60_000
    await expect(credential.given(ANN)).rejects.toMatchObject({ reason: 'needs_reauth' })
    expect(lapsed).toEqual(['ann upstream_token_expired'])
  })

  it('goes to the origin that it was pasted for, and to no other', async () => {
    const { credential, keep, paste, kept, lapsed } = start()
    paste('ann', 'hers')
    keep('bob', keptText('his', 'https://notes.example:8443'))
    expect(await credential.given(ANN)).toEqual({ headers: { authorization: 'Bearer hers' } })
    await expect(credential.given(BOB)).rejects.toMatchObject({ name: 'ConnectionNeeded', reason: 'needs_reauth' })
    expect([lapsed, [...kept.keys()]]).toEqual([['bob server_moved'], ['ann notes secret']])
  })

  it.each(['his', HOME, `${HOME}his`])('that does not say what it was pasted for goes nowhere: %s', async (secret) => {
    const { credential, keep, kept, lapsed } = start()
    keep('bob', secret)
    await expect(credential.given(BOB)).rejects.toMatchObject({ name: 'ConnectionNeeded', reason: 'needs_reauth' })
    expect([lapsed, kept.size]).toEqual([['bob server_moved'], 0])
  })

  it('has its last use noted now and then', async () => {
    const { credential, paste, touched, time } = start()
    paste('ann', 'hers')
    for (let at = 0; at < 5; at++) await credential.given(ANN)
    expect(touched).toEqual(['ann'])
    time.now += 300_000
    await credential.given(ANN)
    expect(touched).toEqual(['ann', 'ann'])
  })
})
