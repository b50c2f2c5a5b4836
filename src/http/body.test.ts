// Bodies as they arrive: with their head, in parts, and not at all.
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { readBody } from './body.ts'

const server = createServer()
let client: Socket | undefined
afterEach(() => {
  client?.destroy()
  server.close()
})

/** The request that these bytes begin, as the server has it in the turn in which it came. */
async function arriving<T>(bytes: string, use: (req: IncomingMessage) => T): Promise<Awaited<T>> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const used = new Promise<T>((resolve) => server.once('request', (req) => resolve(use(req))))
  client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.write(bytes)
  return await used
}

const head = (...fields: string[]) => ['POST / HTTP/1.1', 'Host: x', ...fields, '', ''].join('\r\n')
const read = (limit: number) => (req: IncomingMessage) => readBody({ req }, limit, 500)

describe('readBody', () => {
  it('reads what came with its head', async () => {
    const body = await arriving(`${head('Content-Length: 4')}four`, read(4))
    expect(body.toString()).toBe('four')
  })

  it('reads nothing where nothing was sent', async () => {
    expect(await arriving(head('Content-Length: 0'), read(4))).toHaveLength(0)
  })

  it('reads what comes in parts', async () => {
    const body = await arriving(`${head('Content-Length: 4')}fo`, (req) => {
      const reading = read(4)(req)
      setImmediate(() => setImmediate(() => client?.write('ur')))
      return reading
    })
    expect(body.toString()).toBe('four')
  })

  it('refuses what is announced too large, and what turns out to be', async () => {
    const tooLarge = { status: 413, reason: 'body_too_large' }
    await expect(arriving(`${head('Content-Length: 5')}fiver`, read(4))).rejects.toMatchObject(tooLarge)
    server.close()
    client?.destroy()
    await once(server, 'close')
    const chunked = `${head('Transfer-Encoding: chunked')}5\r\nfiver\r\n0\r\n\r\n`
    await expect(arriving(chunked, read(4))).rejects.toMatchObject(tooLarge)
  })

  it('refuses what its client breaks off, also when nobody had begun to read', async () => {
    const interrupted = { status: 400, reason: 'body_interrupted' }
    const begun = arriving(`${head('Content-Length: 4')}fo`, (req) => {
      const reading = read(4)(req)
      client?.destroy()
      return reading
    })
    await expect(begun).rejects.toMatchObject(interrupted)
    server.close()
    await once(server, 'close')
    const gone = arriving(`${head('Content-Length: 4')}fo`, async (req) => {
      // Somebody asks only once the connection is known to be lost.
      req.on('error', () => undefined)
      client?.destroy()
      await new Promise((resolve) => req.once('close', resolve))
      return read(4)(req)
    })
    await expect(gone).rejects.toMatchObject(interrupted)
  })

  it('refuses what does not come in time', async () => {
    const late = arriving(`${head('Content-Length: 4')}fo`, read(4))
    await expect(late).rejects.toMatchObject({ status: 408, reason: 'body_timeout' })
  })
})
