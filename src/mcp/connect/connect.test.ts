import { describe, expect, it } from 'vitest'
import { type ConnectAsked, createConnect, decideForm } from './connect.ts'
import { paramsWithoutAnswer, withoutAnswer } from './connect-state.ts'

const URL_MODE = { elicitation: { url: {} } }
const time = { now: 1_000_000 }
const connect = createConnect({
  titleOf: (server) => server.toUpperCase(),
  linkFor: ({ subject, server }) => ({ url: `https://gate.example/connect?for=${subject}.${server}`, id: 'e1' }),
  sealKeys: () => [{ key: Buffer.alloc(32, 3) }],
  clock: () => time.now,
})
const ASKED: ConnectAsked = {
  ...{ subject: 'ann', server: 'notes', method: 'tools/call', name: 'whoami', id: 7, era: 'modern' as const },
  ...{ declared: URL_MODE, reason: 'not_connected' as const, answered: undefined, asked: undefined, service: false },
}
const OF = { subject: 'ann', server: 'notes', method: 'tools/call', name: 'whoami' }

describe('the form of the answer', () => {
  it.each([
    ['legacy', 'tools/call', URL_MODE, undefined, 'elicitation_error'],
    ['legacy', 'resources/read', URL_MODE, undefined, 'elicitation_error'],
    ['legacy', 'tools/call', { elicitation: {} }, undefined, 'result'],
    ['legacy', 'tools/call', { elicitation: { form: {} } }, undefined, 'result'],
    ['legacy', 'prompts/get', {}, undefined, 'error'],
    ['modern', 'tools/call', URL_MODE, undefined, 'input_required'],
    ['modern', 'prompts/get', URL_MODE, undefined, 'input_required'],
    ['modern', 'completion/complete', URL_MODE, undefined, 'error'],
    ['modern', 'tools/call', {}, undefined, 'result'],
    ['modern', 'resources/read', {}, undefined, 'error'],
    ['modern', 'tools/call', URL_MODE, 'accept', 'result'],
    ['modern', 'tools/call', URL_MODE, 'decline', 'result'],
    ['modern', 'resources/read', URL_MODE, 'accept', 'error'],
  ] as const)('%s %s %j %s: %s', (era, method, declared, answered, form) => {
    expect(decideForm({ ...ASKED, era, method, declared, answered })).toBe(form)
  })
})

describe('the answer', () => {
  it('is -32042 with one elicitation', () => {
    expect(connect.answer({ ...ASKED, era: 'legacy' })).toEqual({
      ...{ jsonrpc: '2.0', id: 7 },
      error: {
        code: -32042,
        message: expect.stringContaining('NOTES'),
        data: {
          elicitations: [
            {
              mode: 'url',
              elicitationId: 'e1',
              url: 'https://gate.example/connect?for=ann.notes',
              message: expect.stringContaining('NOTES'),
            },
          ],
        },
      },
    })
  })

  it('is a result with the link, whole in the modern era', () => {
    const text = expect.stringContaining('https://gate.example/connect?for=ann.notes')
    const result = { content: [{ type: 'text', text }], isError: true }
    expect(connect.answer({ ...ASKED, era: 'legacy', declared: {} }).result).toEqual(result)
    expect(connect.answer({ ...ASKED, declared: {} }).result).toEqual({ resultType: 'complete', ...result })
  })
})

describe('a state of ours', () => {
  const asked = () => (connect.answer(ASKED).result as { requestState: string }).requestState
  const back = (requestState: unknown, action = 'accept') => ({
    name: 'whoami',
    requestState,
    inputResponses: { connect_account: { action } },
  })
  const bad = expect.objectContaining({ reason: 'bad_state' })

  it('comes back as what the person did', () => {
    expect(connect.answered(OF, back(asked()), undefined)).toBe('accept')
    for (const action of ['decline', 'cancel', 'x'])
      expect(connect.answered(OF, back(asked(), action), undefined)).toBe('decline')
    expect(connect.answered(OF, { requestState: asked() }, undefined)).toBe('decline')
    // Under the name that they had before they had an account.
    expect(connect.answered({ ...OF, subject: 'a1' }, back(asked()), 'ann')).toBe('accept')
  })

  it('is good for the same person, server, method and thing, and for an hour', () => {
    for (const other of [{ subject: 'bob' }, { server: 'github' }, { method: 'prompts/get' }, { name: 'echo' }])
      expect(() => connect.answered({ ...OF, ...other }, back(asked()), undefined)).toThrow(bad)
    const sealed = asked()
    const forged = `${sealed.slice(0, -4)}${sealed.at(-4) === 'A' ? 'B' : 'A'}${sealed.slice(-3)}`
    expect(() => connect.answered(OF, back(forged), undefined)).toThrow(bad)
    time.now += 3_600_000
    expect(() => connect.answered(OF, back(sealed), undefined)).toThrow(bad)
  })

  it('is told from that of a server, and from none', () => {
    for (const state of [undefined, 'of a server', 7, 'held.x'])
      expect(connect.answered(OF, back(state), undefined)).toBeUndefined()
  })
})

describe('the request without the answer', () => {
  it.each([
    ['first', '{"params":{"requestState":"a","name":"é","arguments":{"n":12345678901234567890}}}'],
    ['last', '{"params":{"name":"é","arguments":{"n":12345678901234567890},"inputResponses":{"a":{"b":[1,"}"]}}}}'],
    [
      'between, and spelled otherwise',
      '{"params":{"name":"é","request\\u0053tate":"x","arguments":{"n":12345678901234567890}}}',
    ],
  ])('is byte for byte what it was before: the answer stood %s', (_, text) => {
    const before = '{"params":{"name":"é","arguments":{"n":12345678901234567890}}}'
    expect(withoutAnswer(Buffer.from(text)).toString()).toBe(before)
  })

  it('is left alone where there is no answer', () => {
    expect(withoutAnswer(Buffer.from('{"id":1}')).toString()).toBe('{"id":1}')
    expect(paramsWithoutAnswer({ name: 'x', requestState: 's', inputResponses: {} })).toEqual({ name: 'x' })
    expect(paramsWithoutAnswer(undefined)).toBeUndefined()
  })
})
