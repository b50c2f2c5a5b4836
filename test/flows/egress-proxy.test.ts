// A gate in a network that only a proxy leads out of: identity providers are reached through it where Node is told so, and what a
// stranger names is not. RFC 9110 §9.3.6.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Served, serve } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { type DocumentHost, startDocumentHost } from '../support/document-host.ts'
import { type ForwardProxy, startForwardProxy } from '../support/forward-proxy.ts'
import { GITHUB_APP, type Github, startGithub } from '../support/github.ts'
import { type Idp, startIdp } from '../support/idp.ts'
import { createPerson } from '../support/person.ts'

const CARA = { sub: 'cara-there', username: 'cara', email: 'cara@corp.example', email_verified: true }
const CLIENT = { client_id: 'portcullis', client_secret: 'only-between-the-two-of-them' }

let idp: Idp
let github: Github
let documents: DocumentHost
let proxy: ForwardProxy
let served: Served

beforeAll(async () => {
  idp = await startIdp({ users: [CARA], clients: [{ ...CLIENT, redirect_uris: ['http://127.0.0.1/callback/corp'] }] })
  const emails = [{ email: 'cara@corp.example', primary: true, verified: true }]
  github = await startGithub({ id: 7, login: 'cara', emails })
  documents = await startDocumentHost()
  proxy = await startForwardProxy({ password: 'gate:s3cret' })
})
afterAll(async () => {
  await served?.close()
  await proxy?.close()
  await documents?.close()
  await github?.close()
  await idp?.stop()
})

async function start(environment: Record<string, string>, development = false): Promise<void> {
  await served?.close()
  const corp = { clientId: CLIENT.client_id, clientSecret: CLIENT.client_secret }
  served = await serve(
    {
      server: { development },
      servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }],
      identity: {
        providers: [
          { id: 'corp', type: 'oidc', issuer: idp.issuer, ...corp },
          { id: 'github', type: 'github', issuer: github.url, api: github.api, ...GITHUB_APP },
        ],
      },
    },
    [],
    environment,
  )
}

/** Whom the proxy was asked for while somebody signs in. */
async function signIn(environment: Record<string, string>, provider: 'corp' | 'github'): Promise<string[]> {
  await start(environment)
  const before = proxy.asked.length
  const client = await registerClient(served)
  const person = createPerson({ username: 'cara', password: 'any', provider: new RegExp(provider, 'i') })
  const tokens = await client.signIn(person, { resource: `${served.url}/servers/notes/mcp` })
  expect(tokens.accessToken).not.toBe('')
  return [...new Set(proxy.asked.slice(before))]
}

const through = (more: Record<string, string> = {}) => {
  const url = `http://gate:s3cret@127.0.0.1:${proxy.port}`
  return { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: url, HTTPS_PROXY: url, ...more }
}
const hostOf = (url: string): string => new URL(url).host

describe('a sign-in', () => {
  it('at an OpenID provider goes through the proxy, from discovery to UserInfo', async () => {
    expect(await signIn(through(), 'corp')).toEqual([hostOf(idp.issuer)])
  })

  it('at GitHub does, too', async () => {
    expect(await signIn(through(), 'github')).toEqual([hostOf(github.url)])
  })

  it.each([
    ['NO_PROXY names the provider', () => through({ NO_PROXY: hostOf(idp.issuer) })],
    ['Node is not told to', () => through({ NODE_USE_ENV_PROXY: '' })],
  ])('passes it by where %s', async (_, environment) => {
    expect(await signIn(environment(), 'corp')).toEqual([])
  })

  it('is not made without it where it refuses: the page says who is away, the log why, and neither knows its password', async () => {
    const refused = through({ HTTP_PROXY: `http://gate:w0rd-of-before@127.0.0.1:${proxy.port}` })
    await expect(signIn(refused, 'corp')).rejects.toThrow(/No code: (?!200)\d+/)
    await served.says(/Proxy response \(407\)/)
    expect(served.said).not.toContain('w0rd-of-before')
  })
})

// In development loopback counts as public: what is fetched there, is fetched without a detour.
it.each([
  { development: false, direct: 0 },
  { development: true, direct: 1 },
])("is no way for a stranger's address: refused, or gone to directly; development: $development", async (row) => {
  await start(through(), row.development)
  const [asked, came] = [proxy.asked.length, documents.connections]
  const client = await registerClient(served)
  const { url } = client.authorize({
    client_id: `${documents.origin}/client.json`,
    resource: `${served.url}/servers/notes/mcp`,
  })
  // Its certificate is nobody's: the document is not taken either way.
  const answer = await fetch(url, { redirect: 'manual' })
  expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
  expect([proxy.asked.length - asked, documents.connections - came]).toEqual([0, row.direct])
})
