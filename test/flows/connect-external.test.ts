// A gate without an authorization server of its own, as Kuadrant's gateway is run: callers come with the realm's tokens. Whoever connects an
// account signs in at the same realm in a browser, and is the same person.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Command, startCommand, writeConfig } from '../support/cli.ts'
import { createPerson, type Person } from '../support/person.ts'
import { type Realm, startRealm } from '../support/realm.ts'
import { GATE_CLIENT, MCP_USER } from '../support/realm-members.ts'
import { createSdkHost } from '../support/sdk.ts'
import { startTokenGuarded, type TokenGuarded } from '../support/token-guarded.ts'

const LONG = 600_000

let realm: Realm
let notes: TokenGuarded
let gate: Command & { readonly url: string }
let person: Person

beforeAll(async () => {
  realm = await startRealm()
  notes = await startTokenGuarded({ 'secret-of-mcp': 'mcp at notes' })
  const { url, folder, configFile } = await writeConfig({
    servers: [{ id: 'notes', url: notes.url, credentials: { type: 'secret' } }],
    policy: { rules: [{ allow: ['*/*'], to: ['group:accounting'] }] },
    identity: { providers: [{ id: 'corp', type: 'keycloak', title: 'Corp', issuer: realm.issuer, ...GATE_CLIENT }] },
  })
  await realm.nameAudience(`${url}/mcp`)
  await realm.allowRedirect(`${url}/callback/corp`)
  const env = {
    OAUTH_RESOURCE: `${url}/mcp`,
    OAUTH_AUTHORIZATION_SERVERS: realm.issuer,
    OAUTH_SCOPES_SUPPORTED: 'basic,groups,roles,profile',
  }
  const command = startCommand(['serve', '--config', configFile], { cwd: folder, env })
  await command.says(/is ready/)
  gate = Object.assign(command, { url })
  person = createPerson({ ...MCP_USER, provider: /corp/i, loopbackIsSecure: true })
}, LONG)
afterAll(async () => {
  await gate?.stop()
  await notes?.close()
  await realm?.stop()
}, LONG)

describe('a gate without an authorization server of its own', () => {
  it('signs people in for their connections alone', async () => {
    const status = async (path: string, method = 'GET') =>
      (await fetch(gate.url + path, { method, redirect: 'manual' })).status
    for (const path of ['/.well-known/oauth-authorization-server', '/authorize', '/setup', '/'])
      expect([path, await status(path)]).toEqual([path, 404])
    for (const path of ['/oauth/token', '/oauth/register', '/register', '/token'])
      expect([path, await status(path, 'POST')]).toEqual([path, 404])
    // Another client than our own is not signed in for.
    const other = new URLSearchParams({
      response_type: 'code',
      client_id: 'other',
      redirect_uri: 'https://evil.example',
    })
    const answer = await fetch(`${gate.url}/oauth/authorize?${other}`, { redirect: 'manual' })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/connections'])
  })

  it('knows who opens the link as the person whose token asked for it', async () => {
    const atClient = createPerson({ ...MCP_USER, loopbackIsSecure: true })
    const client = await createSdkHost(atClient).connect(`${gate.url}/mcp`, 'legacy')
    const call = async () => {
      const { content } = await client.callTool({ name: 'whoami', arguments: {} })
      return (content as { text: string }[])[0]?.text ?? ''
    }
    const link = /http\S+/.exec(await call())?.[0] ?? ''
    expect(link).toContain(`${gate.url}/tokens?elicitation_id=`)
    const page = await person.follow(link)
    expect(page.status).toBe(200)
    expect(page.html).toContain(MCP_USER.email)
    const done = await person.submit(page, /^connect$/i, { secret: 'secret-of-mcp' })
    expect(done.html).toContain('Connected')
    expect(await call()).toBe('mcp at notes')
    await client.close()
  })
})
