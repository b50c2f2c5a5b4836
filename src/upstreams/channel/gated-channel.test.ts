// Places are the server's, failures those of the instance that failed.
import { expect, it } from 'vitest'
import type { RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import { createGate } from '../gate.ts'
import { type ChannelCall, type ChannelUpstream, UpstreamError } from '../upstream.ts'
import { gatedChannel } from './gated-channel.ts'

const open = (failures = 2) =>
  createGate({
    concurrency: 2,
    mostOfOne: 1,
    patience: 20,
    breaker: { failures, rest: 10_000 },
    clock: () => 0,
    onChange: () => undefined,
  })
const ANSWER: RpcResponse = { jsonrpc: '2.0', id: 1, result: {} }

function channel(act: () => Promise<RpcResponse>, over: Partial<ChannelUpstream> = {}): ChannelUpstream {
  return {
    kind: 'channel',
    id: 'a',
    requestTimeout: 1000,
    initialize: () => Promise.reject(new Error('nobody asks')),
    request: act,
    notify: () => undefined,
    subscribe: () => () => undefined,
    close: async () => undefined,
    ...over,
  }
}
const ask = (upstream: ChannelUpstream, over: Partial<ChannelCall> = {}) =>
  upstream
    .request(
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { signal: new AbortController().signal, onNotification: () => undefined, ...over },
    )
    .then(
      () => 'answered',
      (error: unknown) => (error instanceof UpstreamError ? error.reason : 'thrown'),
    )
const fail = () => Promise.reject(new UpstreamError('exited', 'gone'))
const never = new Promise<RpcResponse>(() => undefined)
const CALLER = undefined
const GRANT = { given: { headers: {} }, told: {} }

it('one that fails in a row is left alone', async () => {
  const gate = open()
  const server = gatedChannel(channel(fail), { gate, openGate: open })
  expect([await ask(server), await ask(server), await ask(server)]).toEqual(['exited', 'exited', 'resting'])
  expect(gate.figures()).toMatchObject({ breaker: 'open', inFlight: 0, refused: { resting: 1 } })
})

it('has so many places, and its instances share them', async () => {
  const gate = open()
  const [mine, yours] = [channel(() => never, { personal: true }), channel(async () => ANSWER, { personal: true })]
  let turn = mine
  const server = gatedChannel(
    channel(() => never, { instanceFor: () => turn }),
    { gate, openGate: open },
  )
  const bound = server.instanceFor?.(CALLER, GRANT)
  void ask(bound ?? server)
  void ask(bound ?? server)
  turn = yours
  const other = server.instanceFor?.(CALLER, GRANT)
  expect(gate.figures().inFlight).toBe(2)
  expect(await ask(other ?? server)).toBe('busy')
  expect(await ask(server)).toBe('busy')
})

it('one person’s instance that fails is left alone, and everybody else’s is not', async () => {
  const gate = open()
  const [bad, good] = [channel(fail, { personal: true }), channel(async () => ANSWER, { personal: true })]
  let turn = bad
  const base = channel(fail, { instanceFor: () => turn, perPrincipal: true })
  const server = gatedChannel(base, { gate, openGate: open })
  const bound = () => server.instanceFor?.(CALLER, GRANT) ?? server
  // The same to whoever asks for it: who listens to it finds it again.
  expect(bound()).toBe(bound())
  expect([await ask(bound()), await ask(bound()), await ask(bound())]).toEqual(['exited', 'exited', 'resting'])
  turn = good
  expect(await ask(bound())).toBe('answered')
  // Nor does it matter to anybody that the gate cannot ask for itself.
  expect([await ask(server), await ask(server), await ask(server)]).toEqual(['exited', 'exited', 'resting'])
  expect(await ask(bound())).toBe('answered')
  expect(gate.figures()).toMatchObject({ breaker: 'closed', inFlight: 0 })
})

it('one that callers share counts for the server', async () => {
  const gate = open()
  const shared = channel(fail)
  const server = gatedChannel(channel(fail, { instanceFor: () => shared }), { gate, openGate: open })
  const bound = server.instanceFor?.(CALLER, GRANT) ?? server
  expect([await ask(bound), await ask(bound), await ask(server)]).toEqual(['exited', 'exited', 'resting'])
})

it('a caller has a share of its places', async () => {
  const gate = open()
  const held = Promise.withResolvers<RpcResponse>()
  const server = gatedChannel(
    channel(() => held.promise),
    { gate, openGate: open },
  )
  const first = ask(server, { whose: 'ann' })
  expect(await ask(server, { whose: 'ann' })).toBe('busy_principal')
  const second = ask(server, { whose: 'ben' })
  held.resolve(ANSWER)
  expect(await Promise.all([first, second])).toEqual(['answered', 'answered'])
})

it('a call whose caller is asked leaves its place to another, until all is answered', async () => {
  const gate = open()
  const question: RpcRequest = { jsonrpc: '2.0', id: 's1', method: 'elicitation/create' }
  const [one, two] = [Promise.withResolvers<RpcResponse>(), Promise.withResolvers<RpcResponse>()]
  const asked = [one, two]
  const inFlight: number[] = []
  const server = gatedChannel(
    channel(async () => ANSWER, {
      async request(_, { onRequest, signal }) {
        const answers = [onRequest?.(question, signal), onRequest?.(question, signal)]
        inFlight.push(gate.figures().inFlight)
        await answers[0]
        inFlight.push(gate.figures().inFlight)
        await answers[1]
        inFlight.push(gate.figures().inFlight)
        return ANSWER
      },
    }),
    { gate, openGate: open },
  )
  const call = ask(server, { whose: 'ann', onRequest: () => asked.shift()?.promise })
  // Hers is held, and so she has had her share.
  expect(await ask(server, { whose: 'ann' })).toBe('busy_principal')
  one.resolve(ANSWER)
  two.resolve(ANSWER)
  expect(await call).toBe('answered')
  expect(inFlight).toEqual([0, 0, 1])
  expect(gate.figures()).toMatchObject({ inFlight: 0 })
})

it('one that ends while its caller is asked gives back what it had, once', async () => {
  const gate = open()
  const late = Promise.withResolvers<RpcResponse>()
  const server = gatedChannel(
    channel(async () => ANSWER, {
      async request(_, { onRequest, signal }) {
        void onRequest?.({ jsonrpc: '2.0', id: 's1', method: 'roots/list' }, signal)
        throw new UpstreamError('exited', 'gone')
      },
    }),
    { gate, openGate: open },
  )
  expect(await ask(server, { whose: 'ann', onRequest: () => late.promise })).toBe('exited')
  late.resolve(ANSWER)
  await late.promise
  expect(gate.figures()).toMatchObject({ inFlight: 0, queued: 0 })
  // One that nobody can answer puts nothing aside.
  expect(await ask(server, { whose: 'ann', onRequest: () => undefined })).toBe('exited')
  expect(gate.figures()).toMatchObject({ inFlight: 0, queued: 0 })
})

it('a mistake of ours is no failure of the server', async () => {
  const gate = open(1)
  const server = gatedChannel(
    channel(() => Promise.reject(new TypeError('ours'))),
    { gate, openGate: open },
  )
  expect([await ask(server), await ask(server)]).toEqual(['thrown', 'thrown'])
  expect(gate.figures()).toMatchObject({ breaker: 'closed', inFlight: 0 })
})
