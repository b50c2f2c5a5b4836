// What the company's identity provider gives at sign-in, kept where a server's credential is had with it: exchanged for each person, renewed
// at the provider, in no log, no record and no database in clear; and not kept at all where no server needs it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { registerClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Idp, startIdp } from '../support/idp.ts'
import { callTool } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'
import { bearer, startTokenServer, type TokenServer, unsigned } from '../support/token-server.ts'

const account = (username: string) => ({
  sub: `${username}-at-the-company`,
  username,
  password: 'any will do there',
  email: `${username}@corp.example`,
  email_verified: true,
})
const [CARA, DAN] = [account('cara'), account('dan')]
const CLIENT = { client_id: 'portcullis', client_secret: 'only-between-the-two-of-them' }

let idp: Idp
let canary: Canary
let tokens: TokenServer
beforeAll(async () => {
  canary = await startCanary()
  tokens = await startTokenServer()
  tokens.answer = ({ form }) => bearer(unsigned({ aud: 'notes', of: form['subject_token'] }))
  idp = await startIdp({
    users: [CARA, DAN],
    clients: [
      {
        ...CLIENT,
        redirect_uris: ['http://127.0.0.1/callback/corp'],
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
  })
})
afterAll(async () => {
  await idp?.stop()
  await Promise.all([canary?.close(), tokens?.close()])
})

const start = (credentials: object) =>
  startGateway({
    store: 'file',
    servers: [{ id: 'notes', url: canary.url, credentials: credentials as { type: 'none' } }],
    identity: {
      providers: [
        {
          id: 'corp',
          type: 'oidc',
          title: 'Corp',
          issuer: idp.issuer,
          clientId: CLIENT.client_id,
          clientSecret: CLIENT.client_secret,
        },
      ],
    },
  })

async function signIn(gateway: TestGateway, user: typeof CARA): Promise<string> {
  const client = await registerClient(gateway)
  const person = createPerson({ ...user, provider: /corp/i })
  return (await client.signIn(person, { resource: gateway.resource('notes'), scope: 'mcp:tools' })).accessToken
}

function bytesOf(gateway: TestGateway): string {
  const { directory } = gateway.config.store
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)).toString('latin1'))
    .join('\n')
}

describe('tokens of a sign-in', () => {
  it('are exchanged for each person, renewed at the provider, and seen by nobody', async () => {
    const gateway = await start({
      type: 'token-exchange',
      subject: 'sign-in',
      tokenUrl: tokens.tokenUrl,
      clientId: 'gate',
      clientSecret: 'secret',
      cache: '1m',
    })
    try {
      const [cara, dan] = [await signIn(gateway, CARA), await signIn(gateway, DAN)]
      const exchanged = async (token: string) => {
        const before = tokens.asked.length
        expect((await callTool(gateway.resource('notes'), token, 'read_note')).status).toBe(200)
        return tokens.asked.slice(before).map(({ form }) => form['subject_token'] ?? '')
      }
      const [ofCara = ''] = await exchanged(cara)
      const [ofDan = ''] = await exchanged(dan)
      expect(new Set([ofCara, ofDan, cara, dan, '']).size).toBe(5)
      expect(await exchanged(cara)).toEqual([])

      gateway.clock.advance('9m')
      gateway.clock.advance('20s')
      const [renewed = ''] = await exchanged(cara)
      expect(new Set([ofCara, ofDan, renewed, '']).size).toBe(4)

      const told = [gateway.log.join('\n'), JSON.stringify(await gateway.audit()), bytesOf(gateway)].join('\n')
      for (const secret of [ofCara, ofDan, renewed])
        for (const coded of [
          secret,
          Buffer.from(secret).toString('base64').replace(/=+$/, ''),
          Buffer.from(secret).toString('hex'),
        ])
          expect(told.includes(coded)).toBe(false)
    } finally {
      await gateway.close()
    }
  })

  it('are not kept where no server needs them', async () => {
    const gateway = await start({ type: 'none' })
    try {
      const token = await signIn(gateway, CARA)
      expect((await callTool(gateway.resource('notes'), token, 'read_note')).status).toBe(200)
      const subject = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub as string
      expect(await gateway.store.durable.secrets.list(subject)).toEqual([])
    } finally {
      await gateway.close()
    }
  })
})
