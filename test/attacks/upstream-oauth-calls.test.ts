// C11, and whose account is whose, through the whole gate: what reaches a server is the person's own token there, and nothing of theirs here.
import { afterEach, describe, expect, it } from 'vitest'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import type { Person } from '../support/person.ts'
import { type GuardedUpstream, startGuardedUpstream } from '../support/upstream-auth.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function opened(): Promise<{ gateway: TestGateway; upstream: GuardedUpstream }> {
  const upstream = await startGuardedUpstream({ expiresIn: 600 })
  closing.push(upstream.close)
  const gateway = await startGateway({
    servers: [{ id: 'github', url: upstream.url, credentials: { type: 'oauth' } }],
  })
  closing.push(gateway.close)
  return { gateway, upstream }
}

async function connects(person: Person, gateway: TestGateway): Promise<void> {
  const page = await person.follow(`${gateway.url}/connections/connect?server=github`, 'nowhere:')
  const end = await person.submit(page, /^Connect$/)
  expect(end.url).toContain('/connections/connected')
}

interface Answered {
  readonly status: number
  readonly text: string
}

async function calls(gateway: TestGateway, token: string, headers: Record<string, string> = {}): Promise<Answered> {
  const response = await fetch(gateway.resource('github'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${token}`,
      ...{ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'whoami' },
      ...headers,
    },
    body: JSON.stringify({
      ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
      params: { name: 'whoami', arguments: {}, _meta: META },
    }),
  })
  return { status: response.status, text: await response.text() }
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

describe('C11: tokens of callers', () => {
  it('go to no server, to no authorization server, and neither do their cookies', async () => {
    const { gateway, upstream } = await opened()
    const ann = await gateway.person()
    const token = await gateway.tokenFor('github', { user: ann })
    await connects(ann, gateway)
    const forged = {
      cookie: 'session=of-the-browser',
      'proxy-authorization': 'Basic of-the-caller',
      dpop: 'proof-of-the-caller',
      'x-upstream-authorization': 'Bearer chosen-by-the-caller',
    }
    expect((await calls(gateway, token, forged)).text).toContain('account-1')
    const seen = JSON.stringify(upstream.asked.map(({ headers, body, query }) => [headers, body, `${query}`]))
    for (const secret of [token, ...Object.values(forged)]) expect(seen).not.toContain(secret)
    const bearers = upstream.asked.filter(
      ({ host, headers }) => host === 'mcp' && headers['authorization'] !== undefined,
    )
    expect(bearers.length).toBeGreaterThan(0)
    for (const { headers } of bearers) expect(headers['authorization']).toMatch(/^Bearer at-/)
  })
})

describe('two people at one server', () => {
  it('each use their own account, and without one nobody’s', async () => {
    const { gateway } = await opened()
    const [ann, bob] = [await gateway.person(ANN.username), await gateway.person(BOB.username)]
    const [annToken, bobToken] = [
      await gateway.tokenFor('github', { user: ann }),
      await gateway.tokenFor('github', { user: bob }),
    ]
    await connects(ann, gateway)
    expect((await calls(gateway, annToken)).text).toContain('account-1')
    const without = await calls(gateway, bobToken)
    expect(without.text).toContain('/connections/connect?')
    expect(without.text).not.toContain('account-')
    await connects(bob, gateway)
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const isAnn = index % 2 === 0
        const { text } = await calls(gateway, isAnn ? annToken : bobToken)
        return text.includes(isAnn ? 'account-1' : 'account-2') && !text.includes(isAnn ? 'account-2' : 'account-1')
      }),
    )
    expect(answers.every((own) => own)).toBe(true)
  })

  it('a link that was made for one opens for nobody else', async () => {
    const { gateway, upstream } = await opened()
    const [ann, bob] = [await gateway.person(ANN.username), await gateway.person(BOB.username)]
    const { text } = await calls(gateway, await gateway.tokenFor('github', { user: ann }))
    const link = /https?:[^\s"\\]+\/connections\/connect\?[^\s"\\]+/.exec(text)?.[0] ?? ''
    await gateway.tokenFor('github', { user: bob })
    const before = upstream.asked.length
    const page = await bob.follow(link, 'nowhere:')
    expect(page.status).toBe(403)
    expect(upstream.asked.slice(before).filter(({ host }) => host === 'as')).toEqual([])
    expect((await ann.follow(link, 'nowhere:')).html).toContain('>Connect<')
  })
})
