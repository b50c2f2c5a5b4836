// Rules that ask outside: our own AuthZEN endpoint as the point of another gate, and a server that answers as Open Policy Agent does,
// well and badly.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { adminApiOf } from '../support/admin-api.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools } from '../support/mcp.ts'
import { addUser } from '../support/people.ts'
import { createPerson } from '../support/person.ts'

const ROOT = { username: 'root', password: 'eleven quiet owls in a barn', administrator: true }

let canary: Canary
beforeAll(async () => {
  canary = await startCanary()
})
afterAll(() => canary?.close())

/** Without what the gate itself asks a server about. */
const callsReceived = (): number => canary.requests.filter(({ body }) => body.includes('"tools/call"')).length

type Answer = (req: IncomingMessage, res: ServerResponse, body: string) => void

interface Point {
  readonly url: string
  readonly asked: { headers: IncomingMessage['headers']; body: unknown }[]
  answer: Answer
  close(): Promise<void>
}

const json =
  (value: unknown, status = 200): Answer =>
  (_, res) =>
    void res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))

async function startPoint(): Promise<Point> {
  const server: Server = createServer(async (req, res) => {
    let body = ''
    for await (const chunk of req) body += String(chunk)
    point.asked.push({ headers: req.headers, body: JSON.parse(body) })
    point.answer(req, res, body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const point: Point = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/data/mcp/allow`,
    asked: [],
    answer: json({ result: true }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
  return point
}

describe('a rule that asks a point as OPA is one', () => {
  let point: Point
  let gateway: TestGateway
  let token: string
  beforeAll(async () => {
    point = await startPoint()
    gateway = await startGateway({
      servers: [{ id: 'notes', url: canary.url }],
      policy: {
        rules: [
          { id: 'read', allow: ['notes/read_*'], to: ['*'] },
          { id: 'asked', allow: ['notes/write_*'], to: ['*'], consult: 'opa' },
        ],
        decisionPoints: {
          opa: {
            type: 'opa',
            url: point.url,
            cache: 0,
            timeout: '2s',
            headers: { 'X-Opa-Key': 'a key for the point' },
          },
        },
      },
    })
    token = await gateway.tokenFor('notes')
  })
  afterAll(async () => {
    await gateway?.close()
    await point?.close()
  })
  afterEach(() => {
    point.answer = json({ result: true })
    // A point that failed five times is left alone for a while; a yes makes good for the failures of one test.
    gateway.clock.advance('5s')
  })
  const write = (text = 'hello') => callTool(gateway.resource('notes'), token, 'write_note', { text })
  const isServed = async () => {
    const before = callsReceived()
    const answer = await write()
    expect(callsReceived() - before).toBe('result' in answer.body ? 1 : 0)
    return 'result' in answer.body
  }

  it('allows with its yes, and is told who calls what with which arguments, under the names that conditions have', async () => {
    point.asked.length = 0
    expect(await isServed()).toBe(true)
    expect(point.asked).toHaveLength(1)
    expect(point.asked[0]).toMatchObject({
      headers: { 'x-opa-key': 'a key for the point', 'content-type': 'application/json' },
      body: {
        input: {
          principal: { email: 'ann@example.com', groups: ['engineering'], kind: 'person', method: 'access_token' },
          server: 'notes',
          kind: 'tool',
          name: 'write_note',
          method: 'tools/call',
          args: { text: 'hello' },
          request: { address: '127.0.0.1', era: 'modern' },
        },
      },
    })
    expect(JSON.stringify(point.asked)).not.toContain(token)
    expect(JSON.stringify(point.asked)).not.toContain(token.split('.')[2])
  })

  it('is not asked about what no rule sends to it', async () => {
    point.asked.length = 0
    expect((await callTool(gateway.resource('notes'), token, 'read_note')).status).toBe(200)
    expect(point.asked).toHaveLength(0)
  })

  it('refuses with its no; the thing is listed, since other arguments could be allowed', async () => {
    point.answer = json({ result: false })
    const before = callsReceived()
    const refused = await write()
    expect(refused.body).toMatchObject({ error: { code: -32602, message: 'Not allowed with these arguments.' } })
    expect(callsReceived()).toBe(before)
    const { body } = await listTools(gateway.resource('notes'), token)
    const { tools } = body['result'] as { tools: { name: string }[] }
    expect(tools.map(({ name }) => name)).toEqual(['read_note', 'write_note'])
  })

  it.each<[string, Answer]>([
    ['nothing, until it is too late', () => undefined],
    ['headers, and then nothing', (_, res) => void res.writeHead(200).write('{"result"')],
    ['a broken connection', (req) => void req.socket.destroy()],
    ['a failure', json({ result: true }, 500)],
    ['401', json({ result: true }, 401)],
    [
      'a redirect to a yes',
      (req, res) => void res.writeHead(307, { Location: `http://${req.headers.host}/yes` }).end(),
    ],
    ['no JSON', (_, res) => void res.writeHead(200, { 'Content-Type': 'application/json' }).end('true')],
    ['half of it', (_, res) => void res.writeHead(200).end('{"result":true')],
    ['something like a yes', json({ result: 'true' })],
    ['a yes further in', json({ result: { allow: true } })],
    ['more than anybody reads', json({ result: true, padding: 'x'.repeat(100_000) })],
    [
      'a coding nobody asked for',
      (_, res) => void res.writeHead(200, { 'Content-Encoding': 'gzip' }).end('{"result":true}'),
    ],
  ])('takes %s for a no', async (_, answer) => {
    point.answer = answer
    expect(await isServed()).toBe(false)
    point.answer = json({ result: true })
    // The twin, at once: nothing of a failure is kept.
    expect(await isServed()).toBe(true)
  })

  it('is left alone after it failed five times, with a line in the log and numbers, and is used again', async () => {
    point.answer = json({}, 503)
    point.asked.length = 0
    for (let at = 0; at < 8; at++) expect(await isServed()).toBe(false)
    expect(point.asked).toHaveLength(5)
    expect(gateway.log.some((line) => line.includes('"point":"opa"') && line.includes('status_503'))).toBe(true)
    const metrics = await gateway.metrics()
    expect(metrics).toMatch(/portcullis_decision_points_total\{point="opa",answer="paused"\} 3/)
    expect(metrics).toMatch(/portcullis_decision_points_total\{point="opa",answer="yes"\} \d/)
    point.answer = json({ result: true })
    expect(await isServed()).toBe(false)
    gateway.clock.advance('5s')
    expect(await isServed()).toBe(true)
    expect(gateway.log.join('')).not.toContain('a key for the point')
  })
})

describe('a rule that asks AuthZEN', () => {
  it('another gate decides: its yes is the yes, its no the no', async () => {
    const other = await startGateway({
      servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }],
      policy: { rules: [{ allow: ['notes/*'], to: ['group:engineering'] }] },
    })
    await addUser(other.store, ROOT)
    const api = await adminApiOf(other, createPerson(ROOT), 'portcullis:admin')
    const { secret } = await api.token({ name: 'pep', kind: 'service', owner: 'gate', scopes: ['portcullis:decide'] })
    const gateway = await startGateway({
      servers: [{ id: 'notes', url: canary.url }],
      policy: {
        rules: [{ allow: ['notes/*'], to: ['*'], consult: 'hub' }],
        decisionPoints: {
          hub: {
            type: 'authzen',
            url: `${other.url}/access/v1/evaluation`,
            headers: { Authorization: `Bearer ${secret}` },
          },
        },
      },
    })
    try {
      // One account in both, as with a directory behind them: the id is what they have in common.
      for (const user of [ANN, BOB]) {
        const account = await addUser(gateway.store, user)
        await other.store.durable.users.upsertByIdentity(account)
      }
      const call = async (user: typeof ANN) =>
        (
          await callTool(
            gateway.resource('notes'),
            await gateway.tokenFor('notes', { user: createPerson(user) }),
            'read_note',
          )
        ).body
      expect(await call(ANN)).toHaveProperty('result')
      expect(await call(BOB)).toMatchObject({ error: { code: -32602 } })
      const asked = await other.audit((all) => all.filter((event) => event.kind === 'call').length >= 2)
      expect(asked.filter((event) => event.kind === 'call').map(({ decision, by }) => [decision, by])).toEqual([
        ['allow', 'service:gate'],
        ['deny', 'service:gate'],
      ])
    } finally {
      await gateway.close()
      await other.close()
    }
  })
})
