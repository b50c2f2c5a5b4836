// What an authorization request may leave behind before anybody has signed in: how much, and how often.
import { afterEach, describe, expect, it } from 'vitest'
import { type Door, pkce, startDoor } from '../../test/support/door.ts'
import { MOST_OPENED } from './opened.ts'

let door: Door
afterEach(() => door?.close())

async function start() {
  door = await startDoor()
  const client = String((await door.register()).body['client_id'])
  return (parameters: Record<string, string> = {}) => door.send(door.authorizeUrl(client, pkce().challenge, parameters))
}

describe('an authorization request', () => {
  it.each([
    ['a state', { state: 's'.repeat(2049) }, 'invalid_request: state is too long', { state: 's'.repeat(2048) }],
    [
      'all of it',
      { state: 's'.repeat(2048), login_hint: 'h'.repeat(2048) },
      'invalid_request: the request is too long',
      { state: 's'.repeat(2048), login_hint: 'h'.repeat(1024) },
    ],
  ])('is refused where %s is too long, on a page, and stored up to there', async (_, long, told, short) => {
    const ask = await start()
    const refused = await ask(long)
    expect([refused.status, refused.headers.get('location')]).toEqual([400, null])
    expect(refused.text).toContain(told)
    expect(door.acts.at(-1)).toMatchObject({
      act: 'authorization_refused',
      decision: 'deny',
      reason: 'invalid_request',
    })
    expect((await ask(short)).status).toBe(303)
  })

  it('is one of as many as a network may leave open, however many it ends by signing in', async () => {
    const ask = await start()
    const statuses: number[] = []
    for (let at = 0; at < MOST_OPENED; at++) statuses.push((await ask()).status)
    expect(new Set(statuses)).toEqual(new Set([303]))
    const refused = await ask()
    expect([refused.status, refused.headers.get('location')]).toEqual([429, null])
    expect(refused.headers.get('retry-after')).toBe('600')
    expect(refused.text).toContain('temporarily_unavailable')
    expect(door.acts.at(-1)).toMatchObject({ act: 'authorization_refused', reason: 'temporarily_unavailable' })
    door.advance(600_000)
    expect((await ask()).status).toBe(303)
  })
})
