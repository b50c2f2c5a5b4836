// Case 25 of the seed systems, with HashiCorp Vault (Kuadrant's two calls): each person's secret is read as that person, never used for
// another; missing is 403; what the server refuses is read again.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { type HashicorpVault, startHashicorpVault } from '../support/hashicorp.ts'
import { callTool } from '../support/mcp.ts'

let vault: HashicorpVault
let canary: Canary
let gateway: TestGateway
let [ann, bob, cara] = ['', '', '']
/** What the server takes. */
let good: (authorization: string) => boolean

beforeAll(async () => {
  vault = await startHashicorpVault()
  canary = await startCanary({
    refuses: ({ rawHeaders }) => (good(authorizationIn(rawHeaders) ?? '') ? undefined : { status: 401 }),
  })
  gateway = await startGateway({
    servers: [
      {
        id: 'github',
        url: canary.url,
        credentials: {
          type: 'vault',
          url: vault.url,
          login: { role: 'authorino' },
          path: 'secret/data/mcp-gateway/{subject}',
          field: 'github_pat',
        },
      },
    ],
  })
  ann = await gateway.tokenFor('github', { user: ANN })
  bob = await gateway.tokenFor('github', { user: BOB })
  cara = await gateway.tokenFor('github', { user: { ...ANN, username: 'cara' } })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([canary?.close(), vault?.close()])
})
beforeEach(() => {
  good = () => true
  vault.asked.length = 0
  vault.logins.length = 0
})

const authorizationIn = (raw: readonly string[]) =>
  raw.find((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === 'authorization')
const sent = () => authorizationIn(canary.requests.at(-1)?.rawHeaders ?? [])
const call = (token: string) => callTool(gateway.resource('github'), token, 'read_note')
const subjectOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub as string
const keep = (token: string, pat: string) =>
  vault.secrets.set(`secret/data/mcp-gateway/${subjectOf(token)}`, { github_pat: pat })

describe('case 25', () => {
  it('each person’s own is used, and never another’s, however many call at once', async () => {
    keep(ann, 'pat-of-ann')
    keep(bob, 'pat-of-bob')
    const before = canary.requests.length
    const callers = Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? ann : bob))
    const answers = await Promise.all(callers.map(call))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const seen = canary.requests.slice(before).filter(({ body }) => body.includes('tools/call'))
    expect(seen.map(({ rawHeaders }) => authorizationIn(rawHeaders)).sort()).toEqual([
      ...Array.from({ length: 20 }, () => 'Bearer pat-of-ann'),
      ...Array.from({ length: 20 }, () => 'Bearer pat-of-bob'),
    ])
    expect(vault.asked.filter((asked) => asked.startsWith('GET'))).toHaveLength(2)
  })

  it('is read as the person, with an assertion of ours that Vault can check', async () => {
    gateway.clock.advance('6m')
    ann = await gateway.tokenFor('github', { user: ANN })
    await call(ann)
    const { role, jwt } = vault.logins.at(-1) ?? {}
    expect(role).toBe('authorino')
    const { jwtVerify, createRemoteJWKSet } = await import('jose')
    const { payload } = await jwtVerify(
      String(jwt),
      createRemoteJWKSet(new URL(`${gateway.url}/.well-known/jwks.json`)),
      { issuer: gateway.url, audience: vault.url, currentDate: new Date(gateway.clock.now()) },
    )
    expect(payload.sub).toBe(subjectOf(ann))
  })

  it('missing is 403, and the server hears nothing', async () => {
    const before = canary.requests.length
    const { status, body } = await call(cara)
    expect(status).toBe(403)
    expect(JSON.stringify(body)).not.toMatch(/vault|secret/i)
    expect(canary.requests.length).toBe(before)
    keep(cara, 'pat-of-cara')
    gateway.clock.advance('5s')
    expect((await call(cara)).status).toBe(200)
    expect(sent()).toBe('Bearer pat-of-cara')
  })

  it('refused by the server, it is read again, and the call is made once more', async () => {
    keep(bob, 'pat-of-bob')
    await call(bob)
    keep(bob, 'pat-2-of-bob')
    good = (authorization) => authorization === 'Bearer pat-2-of-bob'
    expect((await call(bob)).status).toBe(200)
    expect(sent()).toBe('Bearer pat-2-of-bob')
  })

  it('and is told where the one that is there is refused, with one call and no loop', async () => {
    good = () => false
    const before = canary.requests.length
    const { status, body } = await call(ann)
    expect({ status, body }).toMatchObject({
      status: 502,
      body: { error: { message: 'The server behind the gate refused the gate.' } },
    })
    expect(canary.requests.length - before).toBe(1)
  })

  it('is nowhere in the log, the record or an answer', async () => {
    const events = await gateway.audit()
    const told = [gateway.log.join('\n'), JSON.stringify(events), await gateway.metrics()].join('\n')
    expect(told).not.toMatch(/pat-of|pat-2-of|hvs\./)
    expect(told).toContain('secret_missing')
  })
})
