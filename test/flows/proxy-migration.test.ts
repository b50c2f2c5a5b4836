// From tokens to an authenticating proxy, as the guide says it: its variables are set and its commands are run, one step after the
// other, on one store.
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../../src/store/open.ts'
import { type AuthProxy, startAuthProxy } from '../support/auth-proxy.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { type Command, startCommand, writeConfig } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { curl } from '../support/curl.ts'
import { ANN } from '../support/gateway.ts'
import { addUser } from '../support/people.ts'
import { createPerson } from '../support/person.ts'

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/guides/proxy-authentication.md'), 'utf8')
const SESSION = 'a-session-of-the-proxy'

interface Step {
  readonly variables: Readonly<Record<string, string>>
  readonly commands: readonly { readonly command: string; readonly status: number }[]
}

/** The part of the guide under `### Step N`. */
function stepOf(number: number): Step {
  const part = GUIDE.split(/^### /m).find((text) => text.startsWith(`Step ${number}:`)) ?? ''
  const block = (kind: string) => new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(part)?.[1] ?? ''
  const variables = block('sh').matchAll(/^([A-Z_]+)=(.*)$/gm)
  const commands = block('console').matchAll(/^(curl .*?)\s+# (\d{3})$/gm)
  return {
    variables: Object.fromEntries([...variables].map(([, name = '', value = '']) => [name, value])),
    commands: [...commands].map(([, command = '', status]) => ({ command, status: Number(status) })),
  }
}

let canary: Canary
let proxy: AuthProxy
let place: Awaited<ReturnType<typeof writeConfig>>
let running: Command | undefined
let token: string

beforeAll(async () => {
  canary = await startCanary()
  place = await writeConfig({
    servers: [{ id: 'notes', url: canary.url }],
    policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
    server: { trustedProxies: ['127.0.0.1'] },
  })
  proxy = await startAuthProxy(place.port, new Map([[SESSION, 'user@example.com']]))
  const store = await openStore({ url: place.storeUrl, directory: join(place.folder, 'data') })
  await addUser(store, ANN)
  await store.close()
})
afterAll(async () => {
  await running?.stop()
  await proxy?.close()
  await canary?.close()
  rmSync(place.folder, { recursive: true, force: true })
})

/** The gate again, with these variables; answers what it says at its start. */
async function startWith(variables: Step['variables']): Promise<string> {
  await running?.stop()
  running = startCommand(['serve', '--config', place.configFile], { cwd: place.folder, env: variables })
  await running.says(/is ready[\s\S]*Connect a client/)
  return running.said
}

/** As a shell would run it, on the ports that the test has. */
async function run(command: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const filled = command.replace('$TOKEN', token).replace('$SESSION', SESSION)
  const headers = [...filled.matchAll(/-H "([^"]*)"/g)].map((match) => match[1] ?? '')
  const [, port, target = ''] = /http:\/\/localhost:(\d+)(\S*)$/.exec(filled) ?? []
  const at = { '4444': place.port, '4180': proxy.port }[port ?? '']
  if (at === undefined) throw new Error(`Not one of our addresses: ${command}`)
  return curl(at, target, { headers, host: `localhost:${at}` })
}

async function runAll({ commands }: Step): Promise<void> {
  expect(commands.length).toBeGreaterThan(0)
  for (const { command, status } of commands) expect([command, (await run(command)).status]).toEqual([command, status])
}

describe('from tokens to the proxy', () => {
  it('step 0: tokens alone', async () => {
    await startWith({})
    const url = `http://127.0.0.1:${place.port}`
    const client = await registerClient({ url })
    const resource = `${url}/servers/notes/mcp`
    token = (await client.signIn(createPerson(ANN), { resource, scope: 'mcp:tools' })).accessToken
    await runAll(stepOf(0))
  })

  it('step 1: the proxy is there, and nobody notices', async () => {
    await runAll(stepOf(1))
  })

  it('step 2 and 3: both ways work, each for itself, and a bad token is not saved by the header', async () => {
    const { variables } = stepOf(2)
    expect(Object.keys(variables)).toEqual(['MCP_CLIENT_AUTH_ENABLED', 'TRUST_PROXY_AUTH', 'PROXY_USER_HEADER'])
    expect(await startWith(variables)).not.toContain('MCP client authentication is disabled')
    await runAll(stepOf(3))
    const [byToken, byHeader] = await Promise.all(
      ['Authorization: Bearer $TOKEN', 'X-Auth-Request-Email: user@example.com'].map((line) =>
        run(`curl -H "${line}" http://localhost:4444/whoami`),
      ),
    )
    expect(byToken?.body).toMatchObject({ method: 'access_token' })
    expect(byHeader?.body).toMatchObject({ method: 'proxy', email: 'user@example.com' })
    // Around the proxy, from another machine, the header is nobody's word.
    const headers = ['X-Auth-Request-Email: user@example.com']
    const around = await curl(place.port, '/tools', { headers, from: '127.0.0.2', host: `localhost:${place.port}` })
    expect(around.status).toBe(401)
  })

  it('step 4: the proxy alone', async () => {
    const { variables } = stepOf(4)
    expect(variables).toMatchObject({ MCP_CLIENT_AUTH_ENABLED: 'false', TRUST_PROXY_AUTH: 'true' })
    expect(await startWith(variables)).not.toContain('MCP client authentication is disabled')
    await runAll(stepOf(4))
    expect(
      (await run(`curl -H "Cookie: _oauth2_proxy=${SESSION}" http://localhost:4180/tools`)).body['tools'],
    ).toHaveLength(3)
  })

  it('and back: a token that was good before is good again', async () => {
    await startWith(stepOf(2).variables)
    expect((await run('curl -H "Authorization: Bearer $TOKEN" http://localhost:4444/tools')).status).toBe(200)
  })

  it('told each step what it would say without trust', async () => {
    const said = await startWith({ MCP_CLIENT_AUTH_ENABLED: 'false' })
    expect(said).toContain('Warning: MCP client authentication is disabled but trust_proxy_auth is not set')
    for (const header of ['Authorization: Bearer $TOKEN', 'X-Auth-Request-Email: user@example.com'])
      expect((await run(`curl -H "${header}" http://localhost:4444/tools`)).status).toBe(401)
  })
})

describe('ContextForge’s virtual servers with ways of their own', () => {
  it('keep them under their own keys', async () => {
    const virtual = await writeConfig({
      servers: [
        { id: 'internal-server', url: canary.url, auth_mode: 'proxy', proxy_header: 'X-Employee-Id' },
        { id: 'external-server', url: canary.url, auth_mode: 'jwt', jwt_audience: 'external-clients' },
      ] as never,
      policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
      server: { trustedProxies: ['127.0.0.1'] },
    })
    const command = startCommand(['serve', '--config', virtual.configFile], { cwd: virtual.folder })
    try {
      await command.says(/is ready/)
      const headers = ['X-Employee-Id: 1234']
      expect((await curl(virtual.port, '/servers', { headers })).body).toMatchObject({
        servers: [{ id: 'internal-server' }],
      })
      expect((await curl(virtual.port, '/servers')).status).toBe(401)
    } finally {
      await command.stop()
      rmSync(virtual.folder, { recursive: true, force: true })
    }
  })
})
