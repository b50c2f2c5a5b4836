// A unix socket in place of a port: who may connect, whose word counts there, and what an earlier life left behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type OutgoingHttpHeaders, request } from 'node:http'
import { request as requestTls } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCommand, writeConfig } from '../support/cli.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { createTlsFolder, until } from '../support/tls.ts'

let folder: string
let socketPath: string
const cleanups: (() => unknown)[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-socket-'))
  socketPath = join(folder, 'gate.sock')
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const URL_OF_US = 'https://mcp.example.com'
async function open(server: object = {}): Promise<TestGateway> {
  const gateway = await startGateway({ server: { url: URL_OF_US, listen: `unix:${socketPath}`, ...server } })
  cleanups.push(() => gateway.close())
  return gateway
}

function get(path: string, headers: OutgoingHttpHeaders = {}, secure?: { ca: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { socketPath, path, agent: false as const, headers: { Host: 'mcp.example.com', ...headers } }
    const send = secure ? requestTls({ ...options, ...secure, servername: 'localhost' }) : request(options)
    send.once('response', (res) => {
      res.resume()
      resolve(res.statusCode ?? 0)
    })
    send.once('error', reject).end()
  })
}
const addressOf = (gateway: TestGateway, path: string) =>
  gateway.log.map((line) => JSON.parse(line) as { path?: string; address?: string }).find((line) => line.path === path)
    ?.address

describe('the socket file', () => {
  it('serves, is for its owner and group alone, and goes with the gate', async () => {
    const gateway = await startGateway({ server: { url: URL_OF_US, listen: `unix:${socketPath}` } })
    expect(await get('/health')).toBe(200)
    const stat = statSync(socketPath)
    expect([stat.isSocket(), stat.mode & 0o777]).toEqual([true, 0o660])
    await gateway.close()
    expect(existsSync(socketPath)).toBe(false)
  })

  it('that a killed process left behind is replaced', async () => {
    const dying: ChildProcess = spawn(
      process.execPath,
      ['-e', `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => console.log('up'))`],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    if (dying.stdout) await once(dying.stdout, 'data')
    dying.kill('SIGKILL')
    await once(dying, 'exit')
    expect(existsSync(socketPath)).toBe(true)
    await open()
    expect(await get('/health')).toBe(200)
  })

  it('speaks TLS as a port does', async () => {
    const tls = createTlsFolder()
    cleanups.push(tls.remove)
    await open({ tls: tls.tls })
    expect(await get('/health', {}, { ca: tls.authority.cert })).toBe(200)
    await expect(get('/health')).rejects.toThrow()
  })

  it.each<[string, RegExp, () => unknown]>([
    [
      'somebody answers at it',
      /another program already listens there/,
      async () => {
        const other = createServer((socket) => socket.destroy()).listen(socketPath)
        cleanups.push(() => other.close())
        await once(other, 'listening')
      },
    ],
    ['it is no socket', /a file that is no socket/, () => writeFileSync(socketPath, 'precious')],
    ['its folder is not there', /folder does not exist/, () => (socketPath = join(folder, 'none', 'gate.sock'))],
  ])('is left alone, and the start ends with a message, when %s', async (_what, message, prepare) => {
    await prepare()
    const before = existsSync(socketPath) ? statSync(socketPath).ino : undefined
    const place = await writeConfig({ server: { url: URL_OF_US, listen: `unix:${socketPath}` } })
    cleanups.push(() => rmSync(place.folder, { recursive: true, force: true }))
    const { code, stderr } = await runCommand(['serve', '--config', place.configFile], { cwd: place.folder })
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)])
    expect(stderr).toContain(`unix:${socketPath}`)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(existsSync(socketPath) ? statSync(socketPath).ino : undefined).toBe(before)
  })
})

describe('who comes through it', () => {
  const forwarded = { 'X-Forwarded-For': '203.0.113.9' }

  it('speaks for others where `unix` is trusted, and only there', async () => {
    const trusting = await open({ trustedProxies: ['unix'] })
    await get('/nowhere', forwarded)
    await until(() => addressOf(trusting, '/nowhere') !== undefined, 'a line')
    expect(addressOf(trusting, '/nowhere')).toBe('203.0.113.9')
    await trusting.close()
    const wary = await open({ trustedProxies: ['10.0.0.0/8', '127.0.0.0/8'] })
    await get('/nowhere', forwarded)
    await until(() => addressOf(wary, '/nowhere') !== undefined, 'a line')
    expect(addressOf(wary, '/nowhere')).toBe('unix')
  })

  it('is on this machine: the metrics answer, unless it speaks for others without our trust', async () => {
    await open()
    expect(await get('/metrics')).toBe(200)
    expect(await get('/metrics', forwarded)).toBe(404)
  })
})

it('a socket file needs the public URL in the configuration', async () => {
  const place = await writeConfig({})
  cleanups.push(() => rmSync(place.folder, { recursive: true, force: true }))
  writeFileSync(place.configFile, JSON.stringify({ server: { listen: `unix:${socketPath}` } }, null, 2))
  const { code, stderr } = await runCommand(['serve', '--config', place.configFile], { cwd: place.folder })
  expect([code, stderr]).toEqual([
    78,
    expect.stringMatching(/server\.url\s+A socket file does not say what people type/),
  ])
})
