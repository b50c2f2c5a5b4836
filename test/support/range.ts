// Where attacks are fired: the real gateway before a canary, requests written byte by byte, and what every refusal must leave
// behind. A refusal is believed only beside its positive twin: a gate that refuses everything passes no test here.
import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import type { CallEvent } from '../../src/audit/event.ts'
import { type Canary, startCanary } from './canary.ts'
import { type GatewayOptions, startGateway, type TestGateway } from './gateway.ts'
import { converse, type RawAnswer, type RawHeader, rawRequest } from './raw.ts'

export interface Range {
  readonly gateway: TestGateway
  readonly canary: Canary
  /** Of ann, good for the canary. */
  readonly token: string
  /** Throws when anything that was fired has reached the process itself. */
  close(): Promise<void>
}

/** Read and write are allowed; delete exists, and is hidden; prompts are, too. */
export const POLICY = {
  rules: [
    { id: 'notes', allow: ['canary/*'], to: ['*'] },
    { id: 'no-delete', deny: ['canary/delete_note', 'prompt:canary/*'], to: ['*'] },
  ],
}

export async function startRange(options: GatewayOptions = {}): Promise<Range> {
  const crashes = watchProcess()
  const canary = await startCanary()
  const gateway = await startGateway({
    servers: [{ id: 'canary', url: canary.url }],
    policy: POLICY,
    ...options,
    // All shots come from one address; the quota of registrations is another matter.
    oauth: { registration: { perAddress: 100_000, total: 100_000 }, ...options.oauth },
  })
  const token = await gateway.tokenFor('canary')
  return {
    gateway,
    canary,
    token,
    async close() {
      await gateway.close()
      await canary.close()
      crashes.end()
    },
  }
}

/** Catalogue row F14: no input reaches `uncaughtException`, leaves a rejection unhandled, or leaks listeners. */
function watchProcess(): { end(): void } {
  const seen: unknown[] = []
  const note = (error: unknown): void => {
    if (!(error instanceof Error && /^(Experimental|Deprecation)Warning$/.test(error.name))) seen.push(error)
  }
  const events = ['uncaughtExceptionMonitor', 'unhandledRejection', 'warning']
  for (const event of events) process.on(event, note)
  return {
    end() {
      for (const event of events) process.off(event, note)
      if (seen.length > 0) throw new AggregateError(seen, `The process noticed: ${seen.join('; ')}`)
    },
  }
}

export type Wire = 'modern' | 'legacy'
export const WIRES: readonly { readonly wire: Wire }[] = [{ wire: 'modern' }, { wire: 'legacy' }]

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** The member `_meta` with its comma, as text: empty on the old wire. */
export const metaText = (wire: Wire): string => (wire === 'modern' ? `,"_meta":${JSON.stringify(META)}` : '')

/** A well-formed `tools/call`; `args` is JSON text. */
export const toolCall = (wire: Wire, name = 'read_note', args = '{}', id = '1'): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":${JSON.stringify(name)},"arguments":${args}${metaText(wire)}}}`

/** Fields over the usual ones: `undefined` leaves one out, a list sends it several times. */
export type Bend = Readonly<Record<string, string | readonly string[] | undefined>>

/** The head of a call as its wire wants it, for the canary and with ann's token. */
export function callHead(range: Range, wire: Wire, bend: Bend = {}): RawHeader[] {
  const usual: Bend = {
    Host: `127.0.0.1:${range.gateway.port}`,
    Authorization: `Bearer ${range.token}`,
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    'MCP-Protocol-Version': wire === 'modern' ? '2026-07-28' : '2025-11-25',
    'Mcp-Method': wire === 'modern' ? 'tools/call' : undefined,
    'Mcp-Name': wire === 'modern' ? 'read_note' : undefined,
    Connection: 'close',
  }
  return Object.entries({ ...usual, ...bend }).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : value === undefined ? [] : [value]).map((one: string): RawHeader => [name, one]),
  )
}

export interface Shot {
  readonly wire?: Wire
  readonly method?: string
  readonly target?: string
  readonly bend?: Bend
  readonly body?: string | Buffer
  /** Address it comes from; 127.0.0.1 unless it is told. */
  readonly from?: string
}

export const MCP_PATH = '/servers/canary/mcp'

/** One request on a connection of its own; its Content-Length is true unless it is bent. */
export async function shoot(range: Range, shot: Shot = {}): Promise<RawAnswer> {
  const { wire = 'modern', method = 'POST', target = MCP_PATH, bend = {}, body = toolCall(wire), from } = shot
  const length = { 'Content-Length': String(typeof body === 'string' ? Buffer.byteLength(body) : body.length) }
  const bytes = rawRequest({
    method,
    target,
    headers: callHead(range, wire, { ...(method === 'POST' && length), ...bend }),
    body: method === 'POST' ? Buffer.from(body) : '',
  })
  const { answers, left } = await converse(range.gateway.port, bytes, [method], from)
  expect(left.toString('latin1')).toBe('')
  expect(answers.length).toBe(1)
  const [answer] = answers
  if (answer === undefined) throw new TypeError('No answer.')
  return answer
}

export interface Refusal {
  readonly status: number
  /** JSON-RPC code of the body. */
  readonly code?: number
  /** Reason in the record; without one the refusal came before there was anyone to record. */
  readonly reason?: string
}

/** Fires, and holds the refusal to its habits: no 5xx, recorded with its reason, nothing upstream, no secret told. */
export async function expectRefusal(range: Range, shot: Shot, refusal: Refusal): Promise<void> {
  const before = range.canary.requests.length
  const answer = await shoot(range, shot)
  expect({ status: answer.status, body: answer.body.toString() }).toMatchObject({ status: refusal.status })
  if (refusal.code !== undefined)
    expect(JSON.parse(answer.body.toString())).toMatchObject({ jsonrpc: '2.0', error: { code: refusal.code } })
  expect(range.canary.requests.length).toBe(before)
  expectNoInside(answer.body.toString())
  if (refusal.reason !== undefined) await expectRecorded(range, answer, refusal.reason)
  expectNoSecret(range)
}

/** The positive twin: served, and the canary got exactly these bytes, once. */
export async function expectServed(range: Range, shot: Shot = {}): Promise<RawAnswer> {
  const { wire = 'modern', body = toolCall(wire) } = shot
  const before = range.canary.requests.length
  const answer = await shoot(range, shot)
  expect({ status: answer.status, body: answer.body.toString().slice(0, 500) }).toMatchObject({ status: 200 })
  expect(range.canary.requests.length).toBe(before + 1)
  expect(range.canary.requests.at(-1)?.body.equals(Buffer.from(body))).toBe(true)
  return answer
}

/** Still there for everyone: health, and a call that arrives exactly once, whatever else is on its way. */
export async function expectAlive(range: Range): Promise<void> {
  expect((await shoot(range, { method: 'GET', target: '/health' })).status).toBe(200)
  const body = toolCall('modern', 'read_note', '{}', JSON.stringify(randomUUID()))
  expect((await shoot(range, { body })).status).toBe(200)
  expect(range.canary.requests.filter((request) => request.body.toString() === body)).toHaveLength(1)
}

/** A denial under the answer's own request id. */
export async function expectRecorded(
  range: Range,
  answer: Pick<RawAnswer, 'header'>,
  reason: string,
): Promise<CallEvent> {
  const id = answer.header('x-request-id')
  expect(id).toMatch(/^[0-9a-f-]{36}$/)
  const isIt = (event: { id: string; kind: string }): event is CallEvent => event.id === id && event.kind === 'call'
  const events = await range.gateway.audit((all) => all.some((event) => isIt(event) && event.outcome !== undefined))
  const event = events.find(isIt)
  expect(event).toMatchObject({ decision: 'deny', reason })
  if (event === undefined) throw new TypeError('Not recorded.')
  return event
}

/** Neither a stack nor a file of ours. */
export function expectNoInside(text: string): void {
  expect(text).not.toMatch(/\n\s+at |\.ts:\d|node:internal|node_modules/)
}

/** `more`: whatever else of this test must not be found in a log line. */
export function expectNoSecret(range: Range, ...more: readonly string[]): void {
  const log = range.gateway.log.join('\n')
  for (const secret of [range.token, range.token.split('.')[2] ?? range.token, ...more]) {
    expect(secret.length).toBeGreaterThan(8)
    expect(log.includes(secret)).toBe(false)
  }
}

/** One test a row, and a last word on how many of them really ran. */
export function attackTable<Row extends { readonly id: string }>(
  title: string,
  rows: readonly Row[],
  attack: (row: Row) => Promise<void>,
): void {
  describe(title, () => {
    let executed = 0
    it('has rows, each under a name of its own', () => {
      expect(rows.length).toBeGreaterThan(0)
      expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
    })
    it.each(rows)('$id', async (row) => {
      await attack(row)
      executed++
    })
    afterAll(() => {
      if (executed === 0) throw new Error(`${title}: no row was executed to its end.`)
    })
  })
}
