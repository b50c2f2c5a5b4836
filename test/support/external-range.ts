// The range with the tokens of another authorization server: whatever is fired has a twin that is served, and nothing was fetched that
// a token asked for.
import { createServer, type Server } from 'node:net'
import { expect } from 'vitest'
import { standingClock } from './clock.ts'
import type { GatewayOptions } from './gateway.ts'
import { type Bent, INTROSPECTION_CLIENT, signedBy, startIssuer, type TestIssuer } from './issuer.ts'
import { expectNoSecret, expectRecorded, expectServed, type Range, shoot, startRange } from './range.ts'

export interface ExternalRange {
  readonly range: Range
  readonly issuer: TestIssuer
  /** For the canary, of the person `ext-ann`; bent where a test wants it. */
  token(bent?: Bent): string
  /** What it says of a token that only it can read, until it says otherwise. */
  readonly opaque: Map<string, Readonly<Record<string, unknown>>>
  claims(): Record<string, unknown>
  /** Where headers of tokens point to. */
  readonly bait: string
  visits(): number
  /** 401 with the one sentence, the reason in the record, nothing upstream, nothing fetched; and the twin is served. */
  expectRefused(token: string, reason: string): Promise<void>
  expectTaken(token: string): Promise<void>
  close(): Promise<void>
}

export async function startExternalRange({
  entry = {},
  ...options
}: GatewayOptions & { entry?: object } = {}): Promise<ExternalRange> {
  const issuer = await startIssuer({ path: '/realms/mcp' })
  const opaque = new Map<string, Readonly<Record<string, unknown>>>()
  issuer.introspection = (token) => ({ ...(opaque.get(token) ?? { active: false }) })
  const { bait, baitUrl, visits } = await startBait()
  const range = await startRange({
    clock: standingClock(),
    ...options,
    auth: { issuers: [{ issuer: issuer.issuer, introspection: INTROSPECTION_CLIENT, ...entry }], ...options.auth },
  })
  const seconds = () => Math.floor(range.gateway.clock.now() / 1000)
  const claims = () => ({
    iss: issuer.issuer,
    sub: 'ext-ann',
    aud: range.gateway.resource('canary'),
    client_id: 'ext-client',
    jti: 'a-token-id',
    iat: seconds() - 5,
    exp: seconds() + 600,
  })
  const token = (bent: Bent = {}) => signedBy(bent.key ?? issuer.key, { typ: 'at+jwt' }, claims(), bent)

  async function expectTaken(fired: string): Promise<void> {
    await expectServed({ ...range, token: fired })
  }

  return {
    range,
    issuer,
    opaque,
    claims,
    token,
    bait: baitUrl,
    visits,
    expectTaken,
    async expectRefused(fired, reason) {
      const before = range.canary.requests.length
      const answer = await shoot(range, { bend: { Authorization: `Bearer ${fired}` } })
      expect({ status: answer.status, body: answer.body.toString() }).toEqual({
        status: 401,
        body: '{"error":"Unauthorized","message":"The access token is not valid here."}',
      })
      expect(answer.header('www-authenticate')).toMatch(/^Bearer error="invalid_token", .*resource_metadata="/)
      expect(range.canary.requests.length).toBe(before)
      await expectRecorded(range, answer, reason)
      if (fired.length > 8) expectNoSecret(range, fired)
      expect(visits()).toBe(0)
      await expectTaken(token())
    },
    async close() {
      await range.close()
      await issuer.close()
      bait.close()
    },
  }
}

async function startBait(): Promise<{ bait: Server; baitUrl: string; visits: () => number }> {
  let visits = 0
  const bait = createServer((socket) => {
    visits++
    socket.destroy()
  })
  await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve))
  const address = bait.address()
  const port = typeof address === 'object' ? address?.port : 0
  return { bait, baitUrl: `http://127.0.0.1:${port}`, visits: () => visits }
}
