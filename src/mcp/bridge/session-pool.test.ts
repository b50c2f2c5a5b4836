// Sessions of ours for people without: bound anew at each use, and ended with the account that they were opened with.
import { afterEach, expect, it } from 'vitest'
import type { RemoteUpstream } from '../../upstreams/upstream.ts'
import { type HandshakeServer, person, startHandshakeServer } from './servers.support.ts'
import { createSessionPool } from './session-pool.ts'

const opened: HandshakeServer[] = []
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close()
})

async function start() {
  const server = await startHandshakeServer()
  opened.push(server)
  const pool = createSessionPool({ clock: Date.now })
  const as = (credential: string): RemoteUpstream => ({
    ...server.upstream,
    addedHeaders: { authorization: credential },
  })
  const use = async (subject: string, upstream: RemoteUpstream) => {
    const lease = pool.lease(upstream, person(subject), {})
    const { session } = await lease.get(AbortSignal.timeout(5000))
    lease.end()
    return session
  }
  const until = async (holds: () => boolean) => {
    for (let left = 2000; !holds(); left--) {
      if (left === 0) throw new Error('It never came true.')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  return { server, pool, as, use, until }
}

it('ends them with the credential of the latest use, not that of the first', async () => {
  const { server, pool, as, use, until } = await start()
  const first = await use('ann', as('Bearer old'))
  expect(await use('ann', as('Bearer renewed'))).toBe(first)
  pool.close()
  await until(() => server.sessions.size === 0)
  expect(server.seen.find(({ method }) => method === 'DELETE')?.headers.authorization).toBe('Bearer renewed')
})

it('are others for each account that one person brings along', async () => {
  const { pool, as, use } = await start()
  const [home, work] = ['home', 'work'].map((owner) => ({ ...as(`Bearer ${owner}`), owner }))
  const first = await use('ann', home as RemoteUpstream)
  expect((await use('ann', work as RemoteUpstream)).id).not.toBe(first.id)
  expect(await use('ann', home as RemoteUpstream)).toBe(first)
  pool.forgetPrincipal('a', 'ann')
  expect(pool.size()).toBe(0)
})

it('ends those of whoever has another account there now, and nobody else’s', async () => {
  const { server, pool, as, use, until } = await start()
  const [ann, bob] = [await use('ann', as('Bearer ann')), await use('bob', as('Bearer bob'))]
  pool.forgetPrincipal('elsewhere', 'ann')
  expect(pool.size()).toBe(2)
  pool.forgetPrincipal('a', 'ann')
  await until(() => !server.sessions.has(ann.id ?? ''))
  expect(server.sessions.has(bob.id ?? '')).toBe(true)
  expect((await use('ann', as('Bearer ann again'))).id).not.toBe(ann.id)
  expect(await use('bob', as('Bearer bob'))).toBe(bob)
  pool.close()
})
