// HTTPS in the gate itself: what it speaks, files that change while connections stay open, an end that ends, everything else over TLS.
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import {
  connectTls,
  createTlsFolder,
  httpsClient,
  issueOwn,
  type TlsFolder,
  type TlsWish,
  trust,
  until,
} from '../support/tls.ts'

let folder: TlsFolder
let gateway: TestGateway
const cleanups: (() => unknown)[] = []

const place = (wish?: TlsWish): void => {
  folder = createTlsFolder(wish)
  cleanups.push(folder.remove)
}
beforeEach(() => place())
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

type Server = NonNullable<Parameters<typeof startGateway>[0]>['server']

async function open(server: Server = {}, more: Parameters<typeof startGateway>[0] = {}): Promise<void> {
  gateway = await startGateway({ ...more, server: { tls: folder.tls, ...server } })
  cleanups.push(() => gateway.close())
}

const client = (shown: { client?: { cert: string; key: string } } = {}, more = {}) => {
  const made = httpsClient(gateway.port, { authority: folder.authority, ...shown }, more)
  cleanups.push(made.close)
  return made
}
const said = (pattern: RegExp) => () => gateway.log.some((line) => pattern.test(line))
const handshake = async (more: Parameters<typeof connectTls>[2] = {}) => {
  const socket = await connectTls(gateway.port, { authority: folder.authority }, more)
  const found = {
    protocol: socket.getProtocol(),
    alpn: socket.alpnProtocol,
    fingerprint: socket.getPeerCertificate().fingerprint256,
  }
  socket.destroy()
  return found
}
const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'served',
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  )

describe('what it speaks', () => {
  it('TLS 1.3 and 1.2 and nothing older, by default', async () => {
    await open()
    expect((await handshake()).protocol).toBe('TLSv1.3')
    expect((await handshake({ maxVersion: 'TLSv1.2' })).protocol).toBe('TLSv1.2')
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    expect(await outcome(handshake(old))).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  })

  it('TLS 1.3 alone where the configuration says so', async () => {
    place({ minVersion: 'TLSv1.3' })
    await open()
    expect((await handshake()).protocol).toBe('TLSv1.3')
    expect(await outcome(handshake({ maxVersion: 'TLSv1.2' }))).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  })

  it('no second handshake inside the first', async () => {
    await open()
    const socket = await connectTls(gateway.port, { authority: folder.authority }, { maxVersion: 'TLSv1.2' })
    cleanups.push(() => socket.destroy())
    socket.on('error', () => undefined)
    const again = new Promise<unknown>((resolve) => socket.renegotiate({}, resolve))
    expect(await Promise.race([again, once(socket, 'error').then(([error]) => error)])).toMatchObject({
      code: expect.stringMatching(/RENEGOTIATION|ECONNRESET|NO_RENEG/),
    })
  })

  it('HTTP/1.1, and says so before the first request', async () => {
    await open()
    expect((await handshake({ ALPNProtocols: ['h2', 'http/1.1'] })).alpn).toBe('http/1.1')
    expect(await outcome(handshake({ ALPNProtocols: ['h2'] }))).toMatch(/NO_APPLICATION_PROTOCOL/)
  })

  it('no plain HTTP at the same port, and is not disturbed by it', async () => {
    await open()
    const socket = connect(gateway.port, '127.0.0.1')
    cleanups.push(() => socket.destroy())
    socket.on('error', () => undefined)
    let answered = ''
    socket.on('data', (chunk) => (answered += chunk))
    socket.write('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    await once(socket, 'close')
    expect(answered).not.toContain('HTTP/1.1')
    expect((await client().get('/health')).status).toBe(200)
  })

  it('under an https URL: documents, sign-in with its cookies, and a call', async () => {
    const canary: Canary = await startCanary()
    cleanups.push(() => canary.close())
    await open({}, { servers: [{ id: 'canary', url: canary.url }] })
    cleanups.push(trust(folder.authority))
    expect(gateway.url).toMatch(/^https:/)
    const token = await gateway.tokenFor('canary')
    const answer = await callTool(gateway.resource('canary'), token, 'read_note')
    expect(answer.status).toBe(200)
    expect(canary.requests.length).toBe(1)
    const document = await client().get('/.well-known/oauth-protected-resource/servers/canary/mcp')
    expect(JSON.parse(document.body)).toMatchObject({ resource: gateway.resource('canary') })
  })
})

describe('files that change', () => {
  const renewOwn = () => {
    const renewed = issueOwn(folder.authority)
    folder.write('gate.key', renewed.key)
    folder.write('gate.crt', renewed.cert)
  }

  it('are taken for new connections, and the open one stays', async () => {
    await open()
    const kept = client()
    expect((await kept.get('/health')).status).toBe(200)
    const before = await handshake()
    renewOwn()
    await until(said(/the new TLS files are in force/), 'the new files')
    expect((await handshake()).fingerprint).not.toBe(before.fingerprint)
    expect((await kept.get('/health')).status).toBe(200)
    expect(kept.connections()).toBe(1)
  })

  it('and cannot be used leave the old in force, and are named; put right, they are taken', async () => {
    await open()
    const before = await handshake()
    folder.write('gate.crt', 'hello')
    await until(said(/the new TLS files are refused.*|.*server\.tls\.cert/), 'the refusal')
    const [line = ''] = gateway.log.filter((text) => text.includes('the new TLS files are refused'))
    expect(line).toContain('server.tls.cert')
    expect(line).toContain('holds no certificate')
    expect((await handshake()).fingerprint).toBe(before.fingerprint)
    renewOwn()
    await until(said(/the new TLS files are in force/), 'the new files')
    expect((await handshake()).fingerprint).not.toBe(before.fingerprint)
  })

  it('a key without its certificate waits for it', async () => {
    await open()
    const before = await handshake()
    const renewed = issueOwn(folder.authority)
    folder.write('gate.key', renewed.key)
    await until(said(/does not belong to the certificate/), 'the refusal')
    expect((await handshake()).fingerprint).toBe(before.fingerprint)
    folder.write('gate.crt', renewed.cert)
    await until(said(/the new TLS files are in force/), 'the new files')
    expect((await handshake()).fingerprint).not.toBe(before.fingerprint)
  })

  it('and are touched, but say the same, change nothing', async () => {
    await open()
    const other = issueOwn(folder.authority)
    folder.write('unrelated.crt', other.cert)
    renewOwn()
    await until(said(/the new TLS files are in force/), 'the new files')
    expect(gateway.log.filter((line) => line.includes('TLS files')).length).toBe(1)
  })

  it('of our own that have expired are taken all the same, with a warning', async () => {
    const late = folder.authority.issue({ usage: 'server', from: -3, until: -1 })
    folder.write('gate.key', late.key)
    folder.write('gate.crt', late.cert)
    await open()
    expect(gateway.log.join('')).toMatch(/server\.tls\.cert: the certificate is expired/)
  })
})

describe('what becomes of connections when their certificate does', () => {
  beforeEach(() => place({ lists: true }))

  it('one that is revoked ends its open connection at once; the others stay open', async () => {
    await open()
    const [stolen, good] = [folder.authority.issue({ subject: 'stolen' }), folder.authority.issue({ subject: 'good' })]
    const [thief, owner] = [client({ client: stolen }), client({ client: good })]
    expect([(await thief.get('/health')).status, (await owner.get('/health')).status]).toEqual([200, 200])
    folder.revoke(stolen)
    await until(said(/the new TLS files are in force/), 'the new list')
    await until(() => thief.open() === 0, 'its connection ends')
    const after = await thief.get('/health')
    expect([after.status, thief.connections()]).toEqual([403, 2])
    expect(after.body).toContain('revoked')
    expect([(await owner.get('/health')).status, owner.connections()]).toEqual([200, 1])
  })

  it('a session from before the revocation is not taken up again', async () => {
    await open()
    const stolen = folder.authority.issue({ subject: 'stolen' })
    const visit = async (session?: Buffer) => {
      const socket = await connectTls(gateway.port, { authority: folder.authority, client: stolen }, { session })
      cleanups.push(() => socket.destroy())
      const reused = socket.isSessionReused()
      let ticket: Buffer | undefined
      let answer = ''
      socket.on('session', (newest: Buffer) => {
        ticket = newest
      })
      socket.on('data', (chunk) => (answer += chunk))
      socket.write('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
      await until(() => answer !== '', 'an answer')
      return { ticket, reused, status: answer.slice(9, 12) }
    }
    const { ticket } = await visit()
    expect(await visit(ticket)).toMatchObject({ reused: true, status: '200' })
    folder.revoke(stolen)
    await until(said(/the new TLS files are in force/), 'the new list')
    expect(await visit(ticket)).toMatchObject({ reused: false, status: '403' })
  })

  it('another authority ends connections behind their answers, and those without a certificate stay', async () => {
    await open()
    const mine = folder.authority.issue()
    const [holder, stranger] = [client({ client: mine }), client()]
    expect([(await holder.get('/health')).status, (await stranger.get('/health')).status]).toEqual([200, 200])
    const other = createTlsFolder()
    cleanups.push(other.remove)
    folder.write('ca.crt', other.authority.cert)
    await until(said(/the new TLS files are in force/), 'the new authority')
    await until(() => holder.open() === 0, 'its connection ends')
    expect([(await holder.get('/health')).status, holder.connections()]).toEqual([403, 2])
    expect([(await stranger.get('/health')).status, stranger.connections()]).toEqual([200, 1])
  })
})

describe('its limits', () => {
  it('count connections before their handshake', async () => {
    await open({ limits: { connections: 2 } })
    const [first, second] = [client(), client()]
    expect([(await first.get('/health')).status, (await second.get('/health')).status]).toEqual([200, 200])
    expect(await outcome(handshake())).toBe('ECONNRESET')
    expect([(await first.get('/health')).status, first.connections()]).toEqual([200, 1])
  })

  it('end a handshake that never comes, and a request that does not', async () => {
    await open({ limits: { headersTimeout: '1s' } })
    const silent = connect(gateway.port, '127.0.0.1')
    silent.on('error', () => undefined)
    const secure = await connectTls(gateway.port, { authority: folder.authority })
    let answer = ''
    secure.on('data', (chunk) => (answer += chunk))
    secure.write('GET /health HTTP/1.1\r\n')
    await Promise.all([once(silent, 'close'), once(secure, 'close')])
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect((await client().get('/health')).status).toBe(200)
  })
})

describe('its end', () => {
  it('waits for a request that runs, and not for who has not even finished a handshake', async () => {
    const canary = await startCanary()
    cleanups.push(() => canary.close())
    gateway = await startGateway({
      servers: [{ id: 'canary', url: canary.url }],
      server: { tls: folder.tls, drain: '10s', limits: { headersTimeout: '60s' } },
    })
    const silent = connect(gateway.port, '127.0.0.1')
    await once(silent, 'connect')
    silent.on('error', () => undefined)
    const gone = once(silent, 'close')
    const idle = client()
    expect((await idle.get('/health')).status).toBe(200)
    // Its body comes late: the request runs while the gate closes.
    const socket = await connectTls(gateway.port, { authority: folder.authority })
    cleanups.push(() => socket.destroy())
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk))
    const form = 'grant_type=x'
    const head = `POST /oauth/token HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\nContent-Length: ${form.length}\r\n\r\n`
    socket.write(head + form.slice(0, 4))
    await until(() => answer.includes('100 Continue'), 'the request has begun')
    const closed = gateway.close()
    await until(async () => (await outcome(handshake())) === 'ECONNREFUSED', 'nobody new is let in')
    socket.write(form.slice(4))
    await until(() => /HTTP\/1\.1 4\d\d /.test(answer), 'the answer')
    await closed
    await gone
  })
})
