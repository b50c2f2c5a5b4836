// Rules that look at arguments, and callers who would have them look at others than the server does. Catalogue rows E1, E2, E4, E7, E38,
// E41 and E44: the same call in both eras, judged on its body alone, and nothing of a refused one reaches the server.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  attackTable,
  callHead,
  expectRecorded,
  expectRefusal,
  expectServed,
  MCP_PATH,
  metaText,
  type Range,
  type Refusal,
  shoot,
  startRange,
  toolCall,
  WIRES,
  type Wire,
} from '../support/range.ts'

let range: Range

beforeAll(async () => {
  range = await startRange({
    policy: {
      rules: [
        { id: 'read', allow: ['canary/read_note', 'prompt:canary/*'], to: ['*'] },
        { id: 'small', allow: ['canary/write_note'], to: ['*'], when: 'args.amount <= 1000' },
        {
          id: 'no-force',
          deny: ['canary/write_note'],
          to: ['*'],
          when: 'has(args.lines) && args.lines.exists(line, has(line.force) && line.force)',
        },
        { id: 'no-dry', deny: ['canary/write_note'], to: ['*'], when: '"dry" in args' },
        { id: 'no-secret', deny: ['canary/write_note'], to: ['*'], when: 'has(args.label) && args.label == "secret"' },
      ],
    },
  })
})
afterAll(() => range?.close())

/** Fields for a call of another tool than the usual one. */
const named = (name: string) => (wire: Wire) => (wire === 'modern' ? { 'Mcp-Name': name } : {})
const WRITE = named('write_note')
const write = (wire: Wire, args: string) => ({ wire, bend: WRITE(wire), body: toolCall(wire, 'write_note', args) })

const NOT_THESE: Refusal = { status: 200, code: -32602, reason: 'no_rule_allows' }

describe.each(WIRES)('arguments decide, on the $wire wire', ({ wire }) => {
  it('and what is allowed arrives byte for byte', async () => {
    for (const args of ['{"amount":1000}', '{"amount" : 1e3}', '{"amount":0.5,"label":"public"}', '{"amount":-0}'])
      await expectServed(range, write(wire, args))
  })

  it.each([
    ['too much', '{"amount":1001}', 'no_rule_allows'],
    ['a little too much', '{"amount":1000.0001}', 'no_rule_allows'],
    ['what is denied', '{"amount":5,"label":"secret"}', 'denied_by_rule'],
    ['what is denied far inside', '{"amount":5,"lines":[{"sum":1},{"force":true}]}', 'denied_by_rule'],
    ['a text that looks like a number', '{"amount":"5"}', undefined],
    ['nothing', '{}', undefined],
    ['the amount in another place', '{"args":{"amount":5}}', undefined],
    ['the amount of a prototype', '{"__proto__":{"amount":5}}', undefined],
  ])('%s is refused aloud', async (_what, args, reason) => {
    const before = range.canary.requests.length
    const answer = await shoot(range, write(wire, args))
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body.toString())).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: { code: -32602, message: 'Not allowed with these arguments.' },
    })
    expect(range.canary.requests.length).toBe(before)
    await expectRecorded(range, answer, reason ?? 'condition_failed')
  })

  it('and what no arguments could open is not there at all', async () => {
    const shot = { wire, bend: named('delete_note')(wire), body: toolCall(wire, 'delete_note', '{"amount":5}') }
    const answer = await shoot(range, shot)
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { message: 'Unknown tool: delete_note' } })
    await expectRecorded(range, answer, 'no_rule_allows')
  })

  it('and the record says which fields the rule saw, and which policy it was', async () => {
    const answer = await shoot(range, write(wire, '{"amount":5000,"note":"for nobody"}'))
    const event = await expectRecorded(range, answer, 'no_rule_allows')
    expect(event.args).toMatchObject({ amount: 5000 })
    expect(JSON.stringify(event)).not.toContain('for nobody')
    expect(event.policy).toMatch(/^\S{8,64}$/)
  })
})

interface Row {
  readonly id: string
  readonly args: string
  readonly reason: string
}
const row = (id: string, reason: string, args: string): Row => ({ id, args, reason })

const TWO_READERS: readonly Row[] = [
  row('the amount twice', 'json_duplicate_key', '{"amount":5,"amount":5000}'),
  row('the amount twice, the small one last', 'json_duplicate_key', '{"amount":5000,"amount":5}'),
  row('the amount twice, once escaped', 'json_duplicate_key', '{"amount":5,"\\u0061mount":5000}'),
  row('twice, far inside', 'json_duplicate_key', '{"amount":5,"lines":[{"sum":1,"x":[[{"y":1}]],"sum":2}]}'),
  row('for a reader that folds case', 'json_key_case', '{"amount":5,"Amount":5000}'),
  row('for a reader that folds case, the only one', 'json_key_case', '{"amount":5,"LABEL":"secret"}'),
  row('for a reader that folds case, capitals first', 'json_key_case', '{"AMOUNT":5000,"amount":5}'),
  row('for a reader that folds case, in a loop of the rule', 'json_key_case', '{"amount":5,"lines":[{"Force":true}]}'),
  row('for a reader that folds case, where the rule asks with in', 'json_key_case', '{"amount":5,"Dry":1}'),
  row('for a reader that knows the Kelvin sign', 'json_key_case', '{"amount":5,"mark":1,"mar\u212a":2}'),
  row('for a reader that knows the long s', 'json_key_case', '{"amount":5,"sum":1,"\u017fum":2}'),
  row('a number that only wide integers hold', 'json_number', '{"amount":5,"account":9007199254740993}'),
  row('a number that becomes infinite', 'json_number', '{"amount":-1e400}'),
  row('a number that becomes nothing', 'json_number', '{"amount":1e-400}'),
  row('a number that only decimals hold', 'json_number', '{"amount":1000.00000000000000001}'),
]

attackTable(
  'two readers of one message',
  WIRES.flatMap(({ wire }) => TWO_READERS.map((one) => ({ ...one, id: `${wire}: ${one.id}`, wire }))),
  async ({ wire, args, reason }) => {
    await expectRefusal(range, write(wire, args), { status: 400, code: -32600, reason })
    await expectServed(range, write(wire, '{"amount":5,"lines":[{"sum":1},{"sum":2}]}'))
  },
)

describe.each(WIRES)('a Mcp-Param field, on the $wire wire', ({ wire }) => {
  it('is not what is judged, and goes on unchanged', async () => {
    const field = { ...WRITE(wire), 'Mcp-Param-Amount': '5' }
    await expectRefusal(range, { ...write(wire, '{"amount":5000}'), bend: field }, NOT_THESE)
    const answer = await shoot(range, {
      ...write(wire, '{"amount":5}'),
      bend: { ...field, 'Mcp-Param-Amount': '5000' },
    })
    expect(answer.status).toBe(200)
    const arrived = range.canary.requests.filter(({ rawHeaders }) => rawHeaders.includes('mcp-param-amount'))
    expect(arrived.length).toBeGreaterThan(0)
    const { rawHeaders = [] } = arrived.at(-1) ?? {}
    expect(rawHeaders[rawHeaders.indexOf('mcp-param-amount') + 1]).toBe('5000')
  })
})

describe.each(WIRES)('_meta, on the $wire wire', ({ wire }) => {
  const withMeta = (key: string, value: unknown, args: string) => {
    const meta = `"_meta":{${JSON.stringify(key)}:${JSON.stringify(value)}`
    const text = toolCall(wire, 'write_note', args)
    const body = wire === 'modern' ? text.replace('"_meta":{', `${meta},`) : text.replace(/\}\}$/, `,${meta}}}}`)
    return { wire, bend: WRITE(wire), body }
  }

  it('tells no rule who is calling, nor what with', async () => {
    for (const [key, value] of [
      ['user', 'root'],
      ['example.com/roles', ['admin']],
      ['amount', 5],
      ['args', { amount: 5 }],
      ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
    ] as const) {
      await expectRefusal(range, withMeta(key, value, '{"amount":5000}'), NOT_THESE)
      await expectServed(range, withMeta(key, value, '{"amount":5}'))
    }
  })

  it.each(['portcullis/user', 'Portcullis/user'])('says nothing in our name: %s', async (key) => {
    const refusal = { status: 400, code: -32602, reason: 'bad_params' }
    await expectRefusal(range, withMeta(key, { subject: 'root' }, '{"amount":5}'), refusal)
  })

  it('carries baggage of a bounded size', async () => {
    const refusal = { status: 400, code: -32602, reason: 'bad_params' }
    await expectServed(range, withMeta('baggage', 'a='.padEnd(8192, 'x'), '{"amount":5}'))
    await expectRefusal(range, withMeta('baggage', 'a='.padEnd(8193, 'x'), '{"amount":5}'), refusal)
  })
})

describe('what a stream wants to hear of', () => {
  const listen = (count: number) => {
    const resourceSubscriptions = Array.from({ length: count }, (_, at) => `prompt:${at}`)
    const filter = JSON.stringify({ notifications: { resourceSubscriptions } }).slice(1, -1)
    const body = `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{${filter}${metaText('modern')}}}`
    return { bend: { 'Mcp-Method': 'subscriptions/listen', 'Mcp-Name': undefined }, body }
  }

  it('is judged one by one, so that only so much can be named at once', async () => {
    await expectRefusal(range, listen(257), { status: 400, code: -32602, reason: 'bad_params' })
    // Judged: nobody opened these.
    await expectRefusal(range, listen(256), { status: 200, code: -32602, reason: 'no_rule_allows' })
    await expectServed(range, listen(0))
  })
})

describe('an older revision, or none', () => {
  it.each(['2025-11-25', '2025-06-18', '2025-03-26', undefined])('is judged alike: %s', async (version) => {
    const bend = { 'MCP-Protocol-Version': version }
    const small = toolCall('legacy', 'write_note', '{"amount":5}')
    const large = toolCall('legacy', 'write_note', '{"amount":5000}')
    await expectServed(range, { wire: 'legacy', bend, body: small })
    await expectRefusal(range, { wire: 'legacy', bend, body: large }, NOT_THESE)
  })
})

describe.each(WIRES)('tasks, on the $wire wire', ({ wire }) => {
  const ask = (method: string, params: string) => ({
    wire,
    bend: wire === 'modern' ? { 'Mcp-Method': method, 'Mcp-Name': undefined } : {},
    body: `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{${params}${params === '' ? metaText(wire).slice(1) : metaText(wire)}}}`,
  })
  const status = wire === 'modern' ? 404 : 200

  it.each(['tasks/get', 'tasks/cancel', 'tasks/update', 'tasks/result', 'tasks/list'])(
    'of anybody are nobody’s: %s answers as what no server knows',
    async (method) => {
      const bend = wire === 'modern' && method !== 'tasks/result' && method !== 'tasks/list' ? { 'Mcp-Name': 't1' } : {}
      const shot = ask(method, '"taskId":"t1"')
      await expectRefusal(
        range,
        { ...shot, bend: { ...shot.bend, ...bend } },
        {
          status,
          code: -32601,
          reason: 'tasks_closed',
        },
      )
      const unknown = ask('vendor/none', '')
      await expectRefusal(range, unknown, { status, code: -32601, reason: 'no_rule_allows' })
    },
  )

  it('are not begun either', async () => {
    const body = toolCall(wire, 'read_note').replace('"arguments":{}', '"arguments":{},"task":{"ttl":1}')
    await expectRefusal(range, { wire, body }, { status: 400, code: -32602, reason: 'bad_params' })
    await expectServed(range, { wire })
  })
})

it('every list shows what could be called', async () => {
  const head = callHead(range, 'legacy')
  expect(head.length).toBeGreaterThan(0)
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
  const answer = await shoot(range, { wire: 'legacy', target: MCP_PATH, body })
  const { result } = JSON.parse(answer.body.toString()) as { result: { tools: { name: string }[] } }
  expect(result.tools.map(({ name }) => name)).toEqual(['read_note', 'write_note'])
})
