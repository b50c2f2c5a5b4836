import { describe, expect, it } from 'vitest'
import type { RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import { rpcError } from '../../protocol/jsonrpc.ts'
import type { Ask } from '../../upstreams/upstream.ts'
import { inRounds } from './rounds.ts'

const CALL: RpcRequest = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x', arguments: { a: 1 } } }
const FORM = { method: 'elicitation/create', params: { message: 'Who?' } }
const ROOTS = { method: 'roots/list' }
const SAMPLE = { method: 'sampling/createMessage', params: { maxTokens: 1 } }
const result = (value: object): RpcResponse => ({ jsonrpc: '2.0', id: 1, result: value })
const input = (inputRequests: unknown, requestState?: string) =>
  result({ resultType: 'input_required', inputRequests, ...(requestState !== undefined && { requestState }) })
const DONE = result({ resultType: 'complete', content: [] })
const { signal } = new AbortController()
const onNotification = () => undefined

/** A server that answers so, one after the other, and what it was sent. */
function server(...answers: readonly RpcResponse[]) {
  const sent: RpcRequest[] = []
  const send = async (message: RpcRequest) => answers[sent.push(message) - 1] ?? answers.at(-1) ?? DONE
  return { sent, send }
}
const says: Ask = async ({ id, method }) => ({ jsonrpc: '2.0', id, result: { of: method } })

describe('rounds', () => {
  it('pass what asks nothing', async () => {
    const { send, sent } = server(DONE)
    expect(await inRounds(CALL, { ask: says, signal, onNotification }, send)).toBe(DONE)
    expect(sent).toEqual([CALL])
  })

  it('bring the answers under the server’s names, with its state, and start from the call each time', async () => {
    const { send, sent } = server(
      input({ who: FORM, where: ROOTS }, 'one'),
      input({ again: SAMPLE }),
      input(undefined, 'three'),
      DONE,
    )
    expect(await inRounds(CALL, { ask: says, signal, onNotification }, send)).toBe(DONE)
    expect(sent.slice(1).map(({ params }) => params)).toEqual([
      {
        ...CALL.params,
        inputResponses: { who: { of: 'elicitation/create' }, where: { of: 'roots/list' } },
        requestState: 'one',
      },
      { ...CALL.params, inputResponses: { again: { of: 'sampling/createMessage' } } },
      { ...CALL.params, inputResponses: {}, requestState: 'three' },
    ])
  })

  it('give a link the id that the handshake revisions want with it, and a form none', async () => {
    const asked: unknown[] = []
    const link = {
      method: 'elicitation/create',
      params: { mode: 'url', url: 'https://example.com/', message: 'Look.' },
    }
    const hears: Ask = async ({ id, params }) => {
      asked.push(params)
      return { jsonrpc: '2.0', id, result: { action: 'accept' } }
    }
    const { send } = server(input({ link, who: FORM }), DONE)
    await inRounds(CALL, { ask: hears, signal, onNotification }, send)
    expect(asked).toEqual([{ ...link.params, elicitationId: expect.stringMatching(/^[0-9a-f-]{36}$/) }, FORM.params])
  })

  it('tell that a link is done with when the server has gone on, and of no other', async () => {
    const link = (name: string) => ({
      method: 'elicitation/create',
      params: { mode: 'url', url: `https://example.com/${name}`, elicitationId: name },
    })
    const follows: Ask = async ({ id, params }) => {
      const action = params?.['elicitationId'] === 'declined' ? 'decline' : 'accept'
      return { jsonrpc: '2.0', id, result: { action } }
    }
    const told: unknown[] = []
    const rounds = (...answers: readonly RpcResponse[]) => {
      told.length = 0
      const { send } = server(...answers)
      const heard = async (message: RpcRequest) => {
        // Not while it may still be asked for.
        expect(told).toEqual([])
        return send(message)
      }
      return inRounds(CALL, { ask: follows, signal, onNotification: (said) => void told.push(said) }, heard)
    }
    const complete = (elicitationId: string) => ({
      jsonrpc: '2.0',
      method: 'notifications/elicitation/complete',
      params: { elicitationId },
    })
    await rounds(input({ a: link('one'), b: link('declined'), c: FORM }), input({ d: link('two') }), DONE)
    expect(told).toEqual([complete('one'), complete('two')])
    await rounds(input({ a: link('one') }), result({ isError: true, content: [] }))
    expect(told).toEqual([])
    await rounds(input({ a: link('one') }), rpcError(1, { code: -32603, message: 'No.' }))
    expect(told).toEqual([])
  })

  it('end with the question where nobody can answer it, and ask none of the others', async () => {
    const withdrawn: boolean[] = []
    const onlyForms: Ask = ({ id, method }, until) => {
      if (method !== 'elicitation/create') return undefined
      until.addEventListener('abort', () => withdrawn.push(true))
      return Promise.resolve({ jsonrpc: '2.0' as const, id, result: {} })
    }
    const asked = input({ who: FORM, where: ROOTS })
    for (const ask of [onlyForms, undefined]) {
      const { send, sent } = server(asked)
      expect(await inRounds(CALL, { ask, signal, onNotification }, send)).toBe(asked)
      expect(sent).toHaveLength(1)
    }
    expect(withdrawn).toEqual([true])
  })

  it.each([
    [{ who: 'x' }],
    [{ who: { params: {} } }],
    ['x'],
    [Object.fromEntries(Array.from({ length: 17 }, (_, n) => [n, ROOTS]))],
  ])('ask nothing of what is not of MCP’s form: %j', async (requests) => {
    const asked = input(requests)
    expect(await inRounds(CALL, { ask: says, signal, onNotification }, server(asked).send)).toBe(asked)
  })

  it('take an error to a form for a cancelled one, and end with one to anything else', async () => {
    const fails: Ask = async ({ id }) => rpcError(id, { code: -1, message: 'User rejected' })
    const form = server(input({ who: FORM }), DONE)
    expect(await inRounds(CALL, { ask: fails, signal, onNotification }, form.send)).toBe(DONE)
    expect(form.sent[1]?.params?.['inputResponses']).toEqual({ who: { action: 'cancel' } })
    const model = server(input({ what: SAMPLE }), DONE)
    expect(await inRounds(CALL, { ask: fails, signal, onNotification }, model.send)).toMatchObject({
      id: 1,
      error: { code: -32603 },
    })
    expect(model.sent).toHaveLength(1)
  })

  it('come to an end where the server does not', async () => {
    const { send, sent } = server(input({ who: FORM }))
    await expect(inRounds(CALL, { ask: says, signal, onNotification }, send)).rejects.toMatchObject({
      reason: 'protocol',
    })
    expect(sent).toHaveLength(16)
  })
})
