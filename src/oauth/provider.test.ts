// Whose failure it was: one of ours is an error in the log, a client that breaks its connection off is not.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Door, startDoor } from '../../test/support/door.ts'

let door: Door
afterEach(() => door?.close())

const errors = () => door.log.filter(({ level }) => level === 'error')

/** A refresh that is refused, by a client that resets its connection before it is told; the answer comes after `meanwhile`. */
async function resetInTheMiddle(): Promise<void> {
  const clientId = String((await door.register()).body['client_id'])
  const written = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  door.recorder.stalled = { until: written.promise, reached: reached.resolve }
  const body = `grant_type=refresh_token&client_id=${clientId}&refresh_token=unknown`
  const socket = ask(body)
  await reached.promise
  socket.resetAndDestroy()
  await once(socket, 'close')
  // Whole exchanges with the gate: it has seen the reset by then.
  await door.send('/oauth/nothing-here')
  written.resolve()
  door.recorder.stalled = undefined
  await door.send('/oauth/nothing-here')
}

function ask(body: string): Socket {
  const { hostname, port, host } = new URL(door.origin)
  const socket = connect({ host: hostname, port: Number(port) })
  const type = 'application/x-www-form-urlencoded'
  socket.write(
    `POST /oauth/token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  return socket
}

const brokenStore = () =>
  startDoor({
    wrap: (store) => ({
      ...store,
      durable: {
        ...store.durable,
        refreshTokens: {
          ...store.durable.refreshTokens,
          find: () => Promise.reject(broken),
        },
      },
    }),
  })
/** As the connection to a database breaks, too. */
const broken = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })

describe('in the log', () => {
  it('a client that resets its connection is no error', async () => {
    door = await startDoor()
    await resetInTheMiddle()
    expect(door.acts.at(-1)).toMatchObject({ act: 'token_refused' })
    expect(errors()).toEqual([])
  })

  it('what fails here is one, though it looks the same', async () => {
    door = await brokenStore()
    const clientId = String((await door.register()).body['client_id'])
    expect((await door.refresh(clientId, 'unknown')).status).toBe(500)
    expect(errors()).toMatchObject([{ fields: { error: broken }, message: 'the authorization server failed' }])
  })
})
