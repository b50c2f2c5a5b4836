// The way to a server over HTTP+SSE or WebSocket is that of every server: its authorities, our certificate, a proxy.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, createAuthority, type Issued } from '../../../../test/support/authority.ts'
import { AROUND, remoteConfig } from '../../../../test/support/configured.ts'
import { startForwardProxy } from '../../../../test/support/forward-proxy.ts'
import { type LastingServer, startSocketServer, startSseServer } from '../../../../test/support/lasting-servers.ts'
import type { TlsMaterial } from '../../network/connect.ts'
import { openChannelUpstream } from '../open.ts'

let authority: Authority
let server: Issued
let ours: Issued
const ends: (() => unknown)[] = []
beforeAll(() => {
  authority = createAuthority('Test authority')
  server = authority.issue({ subject: 'far', usage: 'server', sans: { ip: ['127.0.0.1'] } })
  ours = authority.issue({ subject: 'gate', usage: 'client' })
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

describe.each(['sse', 'websocket'] as const)('over %s', (kind) => {
  async function start(): Promise<LastingServer> {
    const { cert, key } = server
    const tls = { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: true }
    const started = await (kind === 'sse' ? startSseServer({ tls }) : startSocketServer({ tls }))
    ends.push(started.close)
    return started
  }

  function initialize(url: string, material: TlsMaterial, proxy?: string) {
    const silence = () => undefined
    const upstream = openChannelUpstream(
      remoteConfig({ id: 'far', url, transport: kind, requestTimeout: 5000, ...(proxy && { proxy }) }),
      {
        log: { debug: silence, info: silence, warn: silence },
        clock: Date.now,
        around: { ...AROUND, readTls: () => material },
        directory: '/nowhere',
        report: silence,
      },
    )
    ends.push(upstream.close)
    return upstream.initialize()
  }

  it('is trusted by its authority, and knows us by our certificate', async () => {
    const { url } = await start()
    const material = { ca: [authority.cert], cert: ours.cert, key: ours.key }
    expect(await initialize(url, material)).toMatchObject({ serverInfo: { name: 'lasting' } })
  })

  it('is not spoken to where its certificate is nobody’s, or ours is missing', async () => {
    const { url, heads } = await start()
    await expect(initialize(url, {})).rejects.toMatchObject({ reason: 'connect' })
    await expect(initialize(url, { ca: [authority.cert] })).rejects.toMatchObject({
      reason: expect.stringMatching(/connect|reset/),
    })
    expect(heads).toEqual([])
  })

  it('is reached through a proxy', async () => {
    const { url, port } = await start()
    const proxy = await startForwardProxy({ password: 'gate:s3cret' })
    ends.push(proxy.close)
    const material = { ca: [authority.cert], cert: ours.cert, key: ours.key }
    const through = `http://gate:s3cret@127.0.0.1:${proxy.port}`
    expect(await initialize(url, material, through)).toMatchObject({ serverInfo: { name: 'lasting' } })
    expect(new Set(proxy.asked)).toEqual(new Set([`127.0.0.1:${port}`]))
  })
})
