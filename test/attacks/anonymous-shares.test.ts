// Whoever has not signed in is one principal, and none of them takes from the others what each may have: open streams and calls of a limit are
// counted by the network that they come from.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { refusedStatus, socketUrl } from '../support/websocket.ts'

const MOST = 3
const HERE = '2001:db8:0:1::1'
/** The same subscriber. */
const BESIDE = '2001:db8:0:1::2'
const THERE = '192.0.2.7'

let canary: Canary
let gateway: TestGateway
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({
    servers: [{ id: 'open', url: canary.url, auth: { anonymous: true } }],
    server: { trustedProxies: ['127.0.0.1'], limits: { streamsPerPrincipal: MOST } },
    auth: { anonymous: true },
    limits: [{ id: 'hourly', match: 'open/read_note', rate: `${MOST}/h` }],
    policy: { rules: [{ allow: ['open/*'], to: ['*', 'anonymous'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const from = (address: string) => ({ 'x-forwarded-for': address })
const WS = '/servers/open/ws'

describe('streams of whoever has not signed in', () => {
  it('over HTTP+SSE leave those of others alone, and their places come back', async () => {
    const open = async (address: string) => {
      const leaving = new AbortController()
      const { status } = await fetch(`${gateway.url}/servers/open/sse`, {
        headers: from(address),
        signal: leaving.signal,
      })
      return { status, leave: () => leaving.abort() }
    }
    const held = await Promise.all([HERE, HERE, BESIDE].map(open))
    expect(held.map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await open(BESIDE)).status).toBe(429)
    expect(await refusedStatus(gateway.url + WS, from(HERE))).toBe(429)
    const other = await open(THERE)
    expect(other.status).toBe(200)
    // Somebody signed in has places of their own, wherever they are.
    const token = await gateway.tokenFor('open', { user: await gateway.person('ann') })
    const signedIn = await fetch(`${gateway.url}/servers/open/sse`, {
      headers: { ...from(HERE), authorization: `Bearer ${token}` },
    })
    expect(signedIn.status).toBe(200)
    await signedIn.body?.cancel()
    for (const { leave } of [...held, other]) leave()
    await expect
      .poll(async () => {
        const again = await open(HERE)
        again.leave()
        return again.status
      })
      .toBe(200)
  })

  it('over WebSocket leave those of others alone', async () => {
    const open = async (address: string) => {
      const socket = new WebSocket(socketUrl(gateway.url + WS), { headers: from(address) })
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
      return socket
    }
    // Streams that the test before has left may be on their way out still.
    const sockets: WebSocket[] = []
    await expect
      .poll(async () => {
        while (sockets.length < MOST) sockets.push(await open(HERE))
        return sockets.length
      })
      .toBe(MOST)
    expect(await refusedStatus(gateway.url + WS, from(BESIDE))).toBe(429)
    sockets.push(await open(THERE))
    for (const socket of sockets) {
      const over = new Promise((resolve) => socket.once('close', resolve))
      socket.close()
      await over
    }
    ;(await open(HERE)).terminate()
  })
})

describe('calls of whoever has not signed in', () => {
  it('use up the rate of their network, and of nobody else', async () => {
    const call = async (address: string) =>
      (await callTool(gateway.resource('open'), undefined, 'read_note', {}, from(address))).status
    const statuses: number[] = []
    for (const address of [HERE, BESIDE, HERE, BESIDE, HERE, THERE]) statuses.push(await call(address))
    expect(statuses).toEqual([200, 200, 200, 429, 429, 200])
  })
})
