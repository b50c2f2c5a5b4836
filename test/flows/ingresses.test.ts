// nginx, Caddy and HAProxy from Debian in front of a server, each with the configuration we ship, asking the gate.
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { connectRaw, rawRequest } from '../support/raw.ts'
import { type ProxyName, type RealProxy, startRealProxy } from '../support/real-proxy.ts'
import { freePort } from '../support/upstream.ts'

interface Seen {
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly url: string
}

const PROXIES = ['nginx', 'caddy', 'haproxy'] as const
const seen: Seen[] = []
const ports = new Map<ProxyName, number>()
const running: RealProxy[] = []
const tokens = new Map<ProxyName, string>()
let gateway: TestGateway

const behind = createServer((req, res) => {
  seen.push({ headers: req.headers, rawHeaders: req.rawHeaders, url: req.url ?? '' })
  res.end('from behind')
})

beforeAll(async () => {
  await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve))
  for (const name of PROXIES) ports.set(name, await freePort())
  gateway = await startGateway({
    server: { trustedProxies: ['127.0.0.1'] },
    identity: { allowedEmails: ['*@example.com'] },
    forwardAuth: {
      resources: PROXIES.map((name) => ({ host: `localhost:${ports.get(name)}`, scopes: ['mcp:tools'] })),
    },
  })
  for (const name of PROXIES) {
    const at = { port: ports.get(name) ?? 0, gate: gateway.port, behind: (behind.address() as AddressInfo).port }
    running.push(await startRealProxy(name, at))
    const client = await registerClient(gateway)
    const signedIn = await client.signIn(await gateway.person(), { resource: origin(name), scope: 'mcp:tools' })
    tokens.set(name, signedIn.accessToken)
  }
})
afterAll(async () => {
  for (const proxy of running) await proxy.stop()
  await gateway?.close()
  behind.close()
})

const origin = (name: ProxyName): string => `http://localhost:${ports.get(name)}`
const ask = (name: ProxyName, path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(origin(name) + path, { headers, method, redirect: 'manual', ...(method === 'POST' && { body: 'a body' }) })
const bearer = (name: ProxyName) => ({ Authorization: `Bearer ${tokens.get(name)}` })

describe.each(PROXIES)('%s', (name) => {
  it('passes on nobody, and tells a program where to sign in', async () => {
    const before = seen.length
    const answer = await ask(name, '/mcp')
    expect(answer.status).toBe(401)
    const challenge = answer.headers.get('www-authenticate') ?? ''
    const document = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? ''
    expect(await (await fetch(document)).json()).toMatchObject({ resource: `${origin(name)}/mcp` })
    expect(seen.length).toBe(before)
  })

  it('answers the resource’s document at the protected host itself', async () => {
    const before = seen.length
    const answer = await ask(name, '/.well-known/oauth-protected-resource')
    expect([answer.status, await answer.json()]).toMatchObject([200, { resource: origin(name) }])
    expect(seen.length).toBe(before)
  })

  it.each(['GET', 'POST', 'DELETE'])(
    'passes a %s with a token on, with the verified identity alone',
    async (method) => {
      const answer = await ask(
        name,
        '/mcp?a=1',
        { ...bearer(name), 'X-Forwarded-User': 'root', 'X-Forwarded-Groups': 'admins' },
        method,
      )
      expect([answer.status, await answer.text()]).toEqual([200, 'from behind'])
      const { headers, url, rawHeaders } = seen.at(-1) ?? { headers: {}, url: '', rawHeaders: [] }
      expect(url).toBe('/mcp?a=1')
      expect(headers['x-forwarded-user']).toBe('ann@example.com')
      expect(headers['x-forwarded-groups']).toBe('engineering')
      expect(headers['x-forwarded-scopes']).toBe('mcp:tools')
      expect(headers['x-portcullis-assertion']).toMatch(/^ey/)
      expect(headers.authorization).toBeUndefined()
      expect(rawHeaders.filter((field) => field.toLowerCase() === 'x-forwarded-user')).toHaveLength(1)
    },
  )

  it('keeps our cookies from the server behind, and leaves it its own (D21)', async () => {
    const cookie = 'theirs=1; portcullis_forward=stolen; __Host-portcullis_forward_start=x; other=2'
    expect((await ask(name, '/mcp', { ...bearer(name), Cookie: cookie })).status).toBe(200)
    expect(seen.at(-1)?.headers.cookie).toBe('theirs=1; other=2')
    expect((await ask(name, '/mcp', { ...bearer(name), Cookie: 'portcullis_forward=stolen' })).status).toBe(200)
    expect(seen.at(-1)?.headers.cookie ?? '').toBe('')
  })

  it('lets no other spelling of an identity field through', async () => {
    const aliases = ['X_Forwarded_User', 'X-Forwarded_User', 'X.Forwarded.User', 'x_portcullis_assertion']
    const connection = await connectRaw(ports.get(name) ?? 0)
    const fields = aliases.map((alias) => [alias, 'root'] as const)
    const head = [['Host', `localhost:${ports.get(name)}`], ...Object.entries(bearer(name)), ...fields] as const
    connection.send(rawRequest({ method: 'GET', target: '/mcp', headers: head }))
    const { status } = await connection.next()
    connection.destroy()
    const values = seen.at(-1)?.rawHeaders ?? []
    if (status === 200) expect(values).not.toContain('root')
    else expect([400, 401, 403]).toContain(status)
    expect((await ask(name, '/mcp', bearer(name))).status).toBe(200)
  })

  it('passes nothing on that is refused: a bad token, one for elsewhere, one of somebody who is not admitted', async () => {
    const other = PROXIES.find((one) => one !== name) ?? 'nginx'
    const before = seen.length
    expect((await ask(name, '/mcp', { Authorization: 'Bearer invalid' })).status).toBe(401)
    expect((await ask(name, '/mcp', bearer(other))).status).toBe(401)
    expect((await ask(name, '/mcp?access_token=x')).status).toBeGreaterThanOrEqual(400)
    expect(seen.length).toBe(before)
  })

  it('sends a browser to the sign-in', async () => {
    const before = seen.length
    // Node's fetch has a Sec-Fetch-Mode of its own.
    const connection = await connectRaw(ports.get(name) ?? 0)
    const fields = {
      Host: `localhost:${ports.get(name)}`,
      Accept: 'text/html',
      'Sec-Fetch-Mode': 'navigate',
      'Sec-Fetch-Dest': 'document',
    }
    connection.send(rawRequest({ method: 'GET', target: '/page', headers: Object.entries(fields) }))
    const answer = await connection.next()
    connection.destroy()
    expect(answer.status).toBe(302)
    expect(answer.header('location')).toContain(gateway.url)
    expect(answer.header('set-cookie') ?? '').not.toContain('undefined')
    expect(seen.length).toBe(before)
  })

  it('passes a path on as it was judged, or not at all', async () => {
    const before = seen.length
    for (const target of ['/public/..%2fadmin', '/a/%2e%2e/admin', '//admin', '/a;/admin', '/%00']) {
      const connection = await connectRaw(ports.get(name) ?? 0)
      const headers = [
        ['Host', `localhost:${ports.get(name)}`],
        ...Object.entries(bearer(name)),
        ['Connection', 'close'],
      ] as const
      connection.send(rawRequest({ method: 'GET', target, headers }))
      const { status } = await connection.next()
      connection.destroy()
      if (status < 400) expect(seen.at(-1)?.url).toBe(target)
    }
    expect(seen.slice(before).map(({ url }) => url)).toEqual([])
    expect((await ask(name, '/a/b%20c', bearer(name))).status).toBe(200)
    expect(seen.at(-1)?.url).toBe('/a/b%20c')
  })
})
