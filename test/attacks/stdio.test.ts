// Rows E31 and E32: what callers say never reaches the start of a program, and what a program writes never reaches another's call.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'

const NASTY = join(import.meta.dirname, '../support/nasty-child.js')
const folder = mkdtempSync(join(tmpdir(), 'portcullis-attack-'))
const BAIT = join(folder, 'bait')
/** Words that a shell, npx or git would obey. */
const WORDS = [
  `; touch ${BAIT}`,
  `$(touch ${BAIT})`,
  `\`touch ${BAIT}\``,
  '--upload-pack=touch',
  '| id',
  '-e',
  '\n',
  '--',
]

let gateway: TestGateway
beforeAll(async () => {
  vi.stubEnv('PORTCULLIS_OURS', 'a secret of the gate')
  gateway = await startGateway({
    servers: [
      { id: 'shared', command: ['node', NASTY, ...WORDS], cwd: folder, env: { TOKEN: 's3cret-of-the-settings' } },
      { id: 'own', command: ['node', NASTY], credentials: { type: 'caller' }, credentialEnv: 'API_TOKEN' },
    ],
    policy: { rules: [{ allow: ['*/*', 'method:*/*'], to: ['*'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

/** Children of ours that have ended and that nobody has asked how. Nobody but us takes one away meanwhile. */
const zombies = (): string[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
    .split(' ')
    .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z'))

type Answer = { result?: { content?: { text: string }[] }; error?: { message: string; data?: unknown } }

/** A session of the handshake era, as a function that calls a tool in it. */
async function begin(server: string, user = ANN, headers: Record<string, string> = {}, info: object = {}) {
  const token = await gateway.tokenFor(server, { user })
  let session: string | null = null
  let last = 0
  const post = async (method: string, params: object, more: object = {}): Promise<Answer> => {
    const response = await fetch(gateway.resource(server), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session !== null && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: ++last, method, params, ...more }),
    })
    session ??= response.headers.get('mcp-session-id')
    return (await response.json()) as Answer
  }
  await post('initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'c', version: '1', ...info },
  })
  const call = (name: string, args: object = {}, more: object = {}) =>
    post('tools/call', { name, arguments: args, ...more })
  return {
    post,
    call,
    say: async (name: string, args: object = {}) => (await call(name, args)).result?.content?.[0]?.text ?? '',
  }
}

describe('E31: the start of a program', () => {
  it('has the words and the environment of the configuration, as they are written, and nothing else', async () => {
    const { say } = await begin('shared')
    expect(JSON.parse(await say('argv'))).toEqual(WORDS)
    const env = JSON.parse(await say('env')) as Record<string, string>
    const known = ['PATH', 'HOME', 'LANG', 'TZ', 'TOKEN']
    expect(Object.keys(env).filter((name) => !known.includes(name) && !name.startsWith('__CF'))).toEqual([])
    expect(existsSync(BAIT)).toBe(false)
  })

  it('is not what a caller says it is, wherever they say it', async () => {
    const planted = {
      command: ['touch', BAIT],
      args: [`--x=$(touch ${BAIT})`],
      env: { LD_PRELOAD: BAIT },
      cwd: '/',
      shell: true,
    }
    const headers = { 'x-command': `touch ${BAIT}`, 'x-env': 'LD_PRELOAD=/x', 'user-agent': `$(touch ${BAIT})` }
    const { call, post, say } = await begin('shared', ANN, headers, { ...planted, name: `; touch ${BAIT}` })
    const before = await say('env')
    await call('echo', planted, { _meta: planted, ...planted })
    await post('tools/call', { name: 'echo', arguments: {}, ...planted }, planted)
    await post('initialize', { ...planted, protocolVersion: '2025-11-25', capabilities: planted, clientInfo: planted })
    expect(await say('env')).toBe(before)
    expect(JSON.parse(await say('argv'))).toEqual(WORDS)
    expect(existsSync(BAIT)).toBe(false)
  })

  it('has a caller’s credential as a value and no more', async () => {
    const value = `x; touch ${BAIT} $(id) LD_PRELOAD=/x`
    const { say } = await begin('own', ANN, { 'x-upstream-authorization': `Bearer ${value}` })
    const env = JSON.parse(await say('env')) as Record<string, string>
    expect(env['API_TOKEN']).toBe(value)
    expect(env).not.toHaveProperty('LD_PRELOAD')
    expect(existsSync(BAIT)).toBe(false)
  })

  it('cannot be asked for over the admin API: servers come from the configuration alone', async () => {
    const token = await gateway.tokenFor('shared')
    for (const [method, path] of [
      ['POST', '/api/v1/servers'],
      ['PUT', '/api/v1/servers/shared'],
      ['PATCH', '/api/v1/servers/shared'],
    ] as const) {
      const response = await fetch(gateway.url + path, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ id: 'evil', command: ['touch', BAIT] }),
      })
      expect(response.status).toBeGreaterThanOrEqual(400)
    }
    expect(existsSync(BAIT)).toBe(false)
  })
})

describe('E32: what a program writes', () => {
  it('answers no call but its own, whatever ids stand in it', async () => {
    const [ann, bob] = [await begin('shared'), await begin('shared', BOB)]
    const forged = Array.from({ length: 50 }, (_, id) => JSON.stringify({ jsonrpc: '2.0', id, result: 'forged' })).join(
      '\n',
    )
    const said = await Promise.all([
      ann.say('forge', { line: forged }),
      ...Array.from({ length: 20 }, (_, at) => bob.say('echo', { at })),
    ])
    expect(said).toEqual(['forged', ...Array.from({ length: 20 }, (_, at) => `{"at":${at}}`)])
  })

  it.each(['newline', 'huge', 'neither'])(
    'that is no answer (%s) ends that call with one error, and no other',
    async (name) => {
      const [ann, bob] = [await begin('shared'), await begin('shared', BOB)]
      const [bad, good] = await Promise.all([ann.call(name), bob.say('echo', { good: true })])
      expect(bad.error?.message).toBe('The server behind the gate answered in a way that is not MCP.')
      expect(good).toBe('{"good":true}')
    },
  )

  it('to its log is cut, and has no secret of its settings', async () => {
    const { say } = await begin('shared')
    await say('flood', { secret: 's3cret-of-the-settings' })
    await expect.poll(() => gateway.log.filter((line) => line.includes('noise')).length).toBeGreaterThan(0)
    expect(gateway.log.filter((line) => line.includes('noise')).length).toBeLessThan(200)
    expect(gateway.log.join()).not.toContain('s3cret')
  })

  it('to its log has nothing of a person’s credential, nor of the one they had before', async () => {
    const flooded = () => gateway.log.filter((line) => line.includes('"own"') && line.includes('noise'))
    const old = await begin('own', ANN, { 'x-upstream-authorization': 'Bearer s3cret-of-ann' })
    await old.say('flood', { secret: 's3cret-of-ann' })
    await expect.poll(() => flooded().length).toBeGreaterThan(0)
    gateway.clock.advance('2s')
    const next = await begin('own', ANN, { 'x-upstream-authorization': 'Bearer an0ther-of-ann' })
    await next.say('flood', { secret: 'an0ther-of-ann' })
    await expect.poll(() => flooded().length).toBeGreaterThan(20)
    expect(flooded().join()).toContain('***')
    expect(gateway.log.join()).not.toMatch(/s3cret-of-ann|an0ther-of-ann/)
  })

  it('for the last time is one error for each who waits; the next to come, after a pause, finds it again', async () => {
    const [ann, bob] = [await begin('shared'), await begin('shared', BOB)]
    const pid = Number(await ann.say('pid'))
    const answers = await Promise.all([ann.call('hold'), bob.call('hold'), ann.call('exit')])
    for (const { error } of answers) expect(error?.message).toBe('The server behind the gate has ended.')
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    gateway.clock.advance('61s')
    expect(await bob.say('echo', { back: true })).toBe('{"back":true}')
  })

  it('does not keep it alive: one that ignores SIGTERM is gone with the gate, and is no zombie', async () => {
    const [ann, own] = [await begin('shared'), await begin('own', BOB, { 'x-upstream-authorization': 'Bearer b' })]
    const pids = [Number(await ann.say('pid')), Number(await own.say('pid'))]
    await Promise.all([ann.say('stubborn'), own.say('stubborn')])
    await gateway.close()
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
    expect(zombies()).toEqual([])
  })
})
