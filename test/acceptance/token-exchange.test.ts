// Case 24 of the seed systems (Kuadrant's token exchange): the person's own token is exchanged at the company's authorization server for one
// of the server called, with exactly the form of the sample; the audience is checked, a failure is 403, and the new token is kept.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { signedBy, startIssuer, type TestIssuer } from '../support/issuer.ts'
import { callTool } from '../support/mcp.ts'
import { bearer, startTokenServer, type TokenServer, unsigned } from '../support/token-server.ts'

let canary: Canary
let issuer: TestIssuer
let tokens: TokenServer
let gateway: TestGateway
let issued = 0

beforeAll(async () => {
  canary = await startCanary()
  issuer = await startIssuer({ path: '/realms/mcp' })
  tokens = await startTokenServer()
  gateway = await startGateway({
    servers: [
      {
        id: 'server1',
        name: 'mcp-test/server1',
        url: canary.url,
        credentials: {
          type: 'token-exchange',
          tokenUrl: tokens.tokenUrl,
          clientId: 'mcp-gateway',
          clientSecret: 'secret',
          scopes: ['openid'],
        },
      },
    ],
    auth: { issuers: [{ issuer: issuer.issuer }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([canary?.close(), issuer?.close(), tokens?.close()])
})
beforeEach(() => {
  tokens.asked.length = 0
  tokens.answer = ({ form }) => bearer(unsigned({ aud: form['audience'], jti: ++issued }))
})

const url = () => gateway.resource('server1')
const tokenOf = (sub: string) => {
  const now = Math.floor(gateway.clock.now() / 1000)
  const claims = {
    iss: issuer.issuer,
    sub,
    aud: url(),
    client_id: 'cli',
    jti: `${sub}-${++issued}`,
    iat: now,
    exp: now + 600,
  }
  return signedBy(issuer.key, { typ: 'at+jwt' }, claims)
}
const sent = () => {
  const raw = canary.requests.at(-1)?.rawHeaders ?? []
  return raw.filter((_, at) => raw[at - (at % 2)]?.toLowerCase() === 'authorization' && at % 2 === 1)
}

describe('case 24', () => {
  it('sends the form of the sample, and the new token instead of the caller’s', async () => {
    const token = tokenOf('ann')
    expect((await callTool(url(), token, 'read_note')).status).toBe(200)
    expect(tokens.asked).toEqual([
      {
        headers: expect.objectContaining({
          authorization: `Basic ${Buffer.from('mcp-gateway:secret').toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
        }),
        form: {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: token,
          subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          audience: 'mcp-test/server1',
          scope: 'openid',
        },
      },
    ])
    expect(sent()).toEqual([expect.stringMatching(/^Bearer /)])
    expect(sent()[0]).not.toContain(token)
  })

  it('keeps it for the person and the token, and has another for every other', async () => {
    const [ann, bob] = [tokenOf('ann'), tokenOf('bob')]
    const seen: (string | undefined)[] = []
    for (const token of [ann, bob, ann, bob]) {
      await callTool(url(), token, 'read_note')
      seen.push(sent()[0])
    }
    expect(tokens.asked).toHaveLength(2)
    expect([seen[2], seen[3]]).toEqual([seen[0], seen[1]])
    expect(seen[0]).not.toBe(seen[1])
  })

  it.each([
    ['the server refuses', () => ({ status: 400, body: { error: 'invalid_grant', error_description: 'no' } })],
    ['the new token is for another', () => bearer(unsigned({ aud: 'mcp-test/server2' }))],
    ['the new token says nothing', () => bearer('opaque')],
  ])('a failure is 403 and reaches nobody: %s', async (_what, answer) => {
    tokens.answer = answer
    const before = canary.requests.length
    const { status, body, headers } = await callTool(url(), tokenOf('cara'), 'read_note')
    expect(status).toBe(403)
    expect(headers.get('www-authenticate')).toBeNull()
    expect(body).toMatchObject({
      error: { message: 'The gate has no credential of this caller for the server.' },
    })
    expect(JSON.stringify(body)).not.toMatch(/invalid_grant|opaque|server2/)
    expect(canary.requests.length).toBe(before)
    const id = headers.get('x-request-id')
    const events = await gateway.audit((all) => all.some((event) => event.id === id))
    expect(events.find((event) => event.id === id)).toMatchObject({
      decision: 'deny',
      reason: 'credential_failed',
      outcome: 'refused',
      status: 403,
    })
  })

  it('an outage there is 503, and passes', async () => {
    tokens.answer = () => ({ status: 502, body: 'down' })
    const token = tokenOf('dan')
    expect((await callTool(url(), token, 'read_note')).status).toBe(503)
    tokens.answer = ({ form }) => bearer(unsigned({ aud: form['audience'] }))
    gateway.clock.advance('5s')
    expect((await callTool(url(), token, 'read_note')).status).toBe(200)
  })

  it('a token of ours is exchanged nowhere', async () => {
    const token = await gateway.tokenFor('server1')
    const { status } = await callTool(url(), token, 'read_note')
    expect(status).toBe(403)
    expect(tokens.asked).toEqual([])
    expect(gateway.log.join()).toContain('only tokens of auth.issuers can')
  })
})
