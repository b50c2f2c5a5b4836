// What an operator reads when something is wrong: what, where and what to do; an exit code; never a stack trace.
// What is wrong elsewhere (an upstream, an identity provider) does not keep the gate from starting.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema.ts'
import { type Ended, runCommand, serve, startCommand, writeConfig } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { ANN } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'
import { freePort } from '../support/upstream.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Writes the configuration, bends what is there, starts, and waits for the end. */
async function failToStart(
  config: ConfigInput,
  bend: (place: { folder: string; configFile: string }) => void,
): Promise<Ended> {
  const place = await writeConfig(config)
  cleanups.push(() => rmSync(place.folder, { recursive: true, force: true }))
  bend(place)
  return runCommand(['serve', '--config', place.configFile], { cwd: place.folder })
}

/** The habits of every message that ends a command. */
function expectOperatorMessage({ code, stderr }: Ended): void {
  expect(code).toBeGreaterThan(0)
  expect(stderr.trim()).not.toBe('')
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(stderr).not.toMatch(/node:internal|\.ts:\d+:\d+/)
}

const AUTO = { servers: [], policy: { rules: [{ allow: ['*/*'], to: ['*'] }] } } satisfies ConfigInput

describe('portcullis serve ends with a message', () => {
  it('for a key it does not know, with file, line and what was meant', async () => {
    const ended = await failToStart({}, ({ configFile }) => {
      writeFileSync(configFile, JSON.stringify({ server: { listn: '127.0.0.1:0' } }, null, 2))
    })
    expectOperatorMessage(ended)
    expect(ended.stderr).toMatch(/portcullis\.json:3/)
    expect(ended.stderr).toContain('listn')
    expect(ended.stderr).toMatch(/listen\b/)
  })

  it('for a value it cannot read, without printing a secret', async () => {
    const ended = await failToStart({}, ({ configFile }) => {
      const client = { clientId: 'app', clientSecret: 'hush-hush-secret', redirectUris: 'not-a-list' }
      writeFileSync(configFile, JSON.stringify({ oauth: { clients: [client], codeTtl: 'soon' } }, null, 2))
    })
    expectOperatorMessage(ended)
    expect(ended.stderr).toContain('codeTtl')
    expect(ended.stderr).toContain('redirectUris')
    expect(ended.stderr).not.toContain('hush-hush-secret')
  })

  it('for a configuration file that is not there', async () => {
    const ended = await runCommand(['serve', '--config', '/nowhere/portcullis.yaml'])
    expectOperatorMessage(ended)
    expect(ended.stderr).toContain('/nowhere/portcullis.yaml')
  })

  it('for a port that is taken, naming it and the setting', async () => {
    const taken = createServer()
    const port = await freePort()
    await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve))
    cleanups.push(() => taken.close())
    const ended = await failToStart(
      { ...AUTO, server: { listen: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}` } },
      () => {},
    )
    expectOperatorMessage(ended)
    expect(ended.stderr).toContain(String(port))
    expect(ended.stderr).toMatch(/listen|PORTCULLIS_SERVER_LISTEN/)
  })

  it('for a database that is damaged, naming the file', async () => {
    const ended = await failToStart(AUTO, ({ folder }) => {
      mkdirSync(join(folder, 'data'))
      writeFileSync(join(folder, 'data', 'portcullis.db'), 'this was a database once. '.repeat(400))
    })
    expectOperatorMessage(ended)
    expect(ended.stderr).toContain('portcullis.db')
  })

  it('for an option it does not have', async () => {
    const ended = await runCommand(['serve', '--confg', 'x'])
    expectOperatorMessage(ended)
    expect(ended.stderr).toContain('--config')
  })
})

describe('portcullis serve starts', () => {
  it('with an upstream that does not answer: the call says so, /ready names it', async () => {
    const nobody = await freePort()
    const served = await serve({ ...AUTO, servers: [{ id: 'gone', url: `http://127.0.0.1:${nobody}/mcp` }] }, [ANN])
    cleanups.push(served.close)
    const resource = `${served.url}/servers/gone/mcp`
    const client = await registerClient(served)
    const { accessToken } = await client.signIn(createPerson(ANN), { resource, scope: 'mcp:tools' })
    const answer = await callTool(resource, accessToken, 'anything')
    expect(answer.body).toHaveProperty('error.message')
    expect(JSON.stringify(answer.body)).not.toContain(`:${nobody}`)
    const ready = await fetch(`${served.url}/ready`)
    expect(await ready.text()).toContain('gone')
    expect((await fetch(`${served.url}/health`)).status).toBe(200)
  })

  it('with an identity provider that does not answer: the sign-in says so, in a page', async () => {
    const nobody = await freePort()
    const provider = {
      id: 'corp',
      type: 'oidc',
      issuer: `http://127.0.0.1:${nobody}`,
      clientId: 'x',
      clientSecret: 'y',
    } as const
    const servers = [{ id: 'any', url: `http://127.0.0.1:${nobody}/mcp` }]
    const served = await serve({ ...AUTO, servers, identity: { providers: [provider] } })
    cleanups.push(served.close)
    const client = await registerClient(served)
    const { url } = client.authorize({ resource: `${served.url}/servers/any/mcp`, scope: 'mcp:tools' })
    const visit = await createPerson({ ...ANN, provider: /corp/i }).follow(url)
    expect(visit.status).toBe(503)
    expect(visit.headers.get('content-type')).toContain('text/html')
    expect(visit.html).not.toContain(`:${nobody}`)
    await served.says(/corp/)
  })
})

describe('a disk that is full', () => {
  it('refuses what must be stored, keeps what is stored, and goes on when there is room again', async (context) => {
    const place = await writeConfig({ ...AUTO, servers: [{ id: 'any', url: 'http://127.0.0.1:9/mcp' }] })
    cleanups.push(() => rmSync(place.folder, { recursive: true, force: true }))
    mkdirSync(join(place.folder, 'data'))
    // A mount namespace of its own: the small disk goes away with the process.
    const flags = process.getuid?.() === 0 ? ['-m'] : ['-rm']
    const command = startCommand(['serve', '--config', place.configFile], {
      cwd: place.folder,
      wrap: ['unshare', ...flags, 'sh', '-c', 'mount -t tmpfs -o size=4m none data && exec "$0" "$@"'],
    })
    cleanups.push(() => command.stop())
    const started = await command.says(/ready|listening/i).then(
      () => true,
      (error: unknown) => String(error),
    )
    if (started !== true && /unshare|mount/.test(String(started)))
      context.skip(`no small disk can be mounted here: ${String(started)}`)
    expect(started).toBe(true)

    const disk = join('/proc', String(command.child.pid), 'root', place.folder, 'data')
    const before = await registerClient(place)
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(1))
    fill(join(disk, 'ballast'))
    const register = () => registerClient(place).then(() => 'registered', String)
    let outcome = await register()
    for (let attempt = 0; attempt < 200 && outcome === 'registered'; attempt++) outcome = await register()
    expect(outcome).toMatch(/answered 503/)
    expect((await fetch(`${place.url}/ready`)).status).toBe(503)
    expect((await fetch(`${place.url}/health`)).status).toBe(200)

    rmSync(join(disk, 'ballast'))
    await expect.poll(register).toBe('registered')
    await expect.poll(async () => (await fetch(`${place.url}/ready`)).status).toBe(200)
    const { url } = before.authorize({ resource: `${place.url}/servers/any/mcp`, scope: 'mcp:tools' })
    expect((await createPerson(ANN).open(url)).status).toBe(200)
    expect(command.said).not.toMatch(/^\s+at /m)
  })
})

/** Writes until there is no room left. */
function fill(path: string): void {
  for (const bytes of [64 * 1024, 4096, 512])
    for (;;) {
      try {
        writeFileSync(path, Buffer.alloc(bytes), { flag: 'a' })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        break
      }
    }
}
