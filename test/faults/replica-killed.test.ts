// A replica that is killed takes with it what lived in it alone: whoever comes back for that is told once, by another replica, and starts
// again there.
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Served, serve } from '../support/cli.ts'
import { answering, round } from '../support/held.ts'
import { type OneEraServer, startHandshakeOnly } from '../support/one-era.ts'
import { type FreshDatabase, freshDatabase } from '../support/postgres.ts'
import { freePort } from '../support/upstream.ts'

const EVERYTHING = join(import.meta.dirname, '../../node_modules/@modelcontextprotocol/server-everything/dist/index.js')
const WHO = { 'x-authenticated-user': 'ann@example.com' }

let database: FreshDatabase
let old: OneEraServer
let [first, second]: (Served | undefined)[] = []

beforeEach(async () => {
  ;[database, old] = await Promise.all([freshDatabase(), startHandshakeOnly()])
  const start = async () => {
    const at = `127.0.0.1:${await freePort()}`
    return serve({
      servers: [
        { id: 'old', url: old.url },
        { id: 'child', command: [process.execPath, EVERYTHING, 'stdio'] },
      ],
      policy: { rules: [{ allow: ['*/*', 'method:*/*'], to: ['*'] }] },
      auth: { proxy: { userHeader: 'X-Authenticated-User' } },
      server: { trustedProxies: ['127.0.0.1'], url: 'http://127.0.0.1:4444' },
      store: { url: database.url },
      cluster: { advertise: `http://${at}`, listen: at },
    })
  }
  first = await start()
  second = await start()
})
afterEach(async () => {
  await first?.close()
  await second?.close()
  await old?.close()
  await database?.drop()
})

const urlOf = (replica: Served | undefined, server: string) => `${replica?.url}/servers/${server}/mcp`

function send(replica: Served | undefined, message: object, session = ''): Promise<Response> {
  return fetch(urlOf(replica, 'child'), {
    method: 'POST',
    headers: {
      ...WHO,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(session !== '' && { 'mcp-session-id': session }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
  })
}

async function begin(replica: Served | undefined): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }
  const hello = await send(replica, { method: 'initialize', params })
  await hello.text()
  return hello.headers.get('mcp-session-id') ?? ''
}

describe('a replica that is killed', () => {
  it('ends its sessions: 404, and the next handshake is with another', async () => {
    const session = await begin(first)
    expect((await send(second, { method: 'tools/list' }, session)).status).toBe(200)
    await first?.stop('SIGKILL')
    const lost = await send(second, { method: 'tools/list' }, session)
    expect([lost.status, await lost.json()]).toEqual([404, expect.objectContaining({ error: expect.anything() })])
    const next = await begin(second)
    expect((await send(second, { method: 'tools/list' }, next)).status).toBe(200)
  })

  it('ends what it does for the other with one error', async () => {
    const session = await begin(first)
    const params = {
      name: 'trigger-long-running-operation',
      arguments: { duration: 60, steps: 600 },
      _meta: { progressToken: 'p' },
    }
    const answer = await send(second, { id: 7, method: 'tools/call', params }, session)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    let text = ''
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString()
      if (text.includes('notifications/progress') && first?.child.exitCode === null) first.child.kill('SIGKILL')
    }
    const messages = [...text.matchAll(/^data: ?(.+)$/gm)].map(([, data = '']) => JSON.parse(data) as { id?: number })
    const answers = messages.filter(({ id }) => id === 7)
    expect(answers).toEqual([expect.objectContaining({ error: expect.objectContaining({ code: -32603 }) })])
    expect(messages.at(-1)).toBe(answers[0])
  })

  it('ends the calls it held: one error, and the call can be made again', async () => {
    const tool = 'test_input_required_result_elicitation'
    const ask = (replica: Served | undefined, sent = {}) =>
      round(urlOf(replica, 'old'), '', tool, { headers: WHO, ...sent })
    const asked = await ask(first)
    const sent = {
      state: asked.state,
      responses: answering(asked.questions, { action: 'accept', content: { name: 'Ann' } }),
    }
    await first?.stop('SIGKILL')
    const gone = await ask(second, sent)
    expect(gone.messages).toHaveLength(1)
    expect(gone.error).toMatchObject({ code: -32603, message: expect.stringContaining('Call again') })
    const again = await ask(second)
    const responses = answering(again.questions, { action: 'accept', content: { name: 'Ann' } })
    expect((await ask(second, { state: again.state, responses })).result).toMatchObject({
      content: [{ text: 'Hello, Ann!' }],
    })
  })
})
