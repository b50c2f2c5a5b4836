import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { RpcNotification, RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import type { CallParts } from './held-call.ts'
import { type Answer, createHeldCalls, type HeldFor, isHeldState } from './held-calls.ts'

const KEY = { key: randomBytes(32) }
const ANN: HeldFor = { subject: 'ann', address: '*', method: 'tools/call', name: 'old__ask', args: { x: 1, y: 2 } }
const form = (id: number, until = new AbortController().signal): [RpcRequest, AbortSignal] => [
  { jsonrpc: '2.0', id, method: 'elicitation/create', params: { message: `Question ${id}` } },
  until,
]

/** A server in the hands of the test, and a client that comes back. */
function setup(self = 'boot-of-this') {
  const state = { now: 1_000_000 }
  const held = createHeldCalls({ sealKeys: () => [KEY], self, clock: () => state.now })
  const server = Promise.withResolvers<RpcResponse>()
  let parts: CallParts | undefined
  let id = 0
  const heard: RpcNotification[] = []
  const request = (of: HeldFor, params: Record<string, unknown>, signal = new AbortController().signal) => {
    id += 1
    const message = { jsonrpc: '2.0' as const, id, method: of.method, params }
    return { message, of, signal, onNotification: (said: RpcNotification) => void heard.push(said) }
  }
  return {
    held,
    state,
    heard,
    server,
    parts: (): CallParts => {
      if (parts === undefined) throw new Error('The call was not made.')
      return parts
    },
    begin: (of = ANN, { mayAsk = () => true, signal, params = {} }: Beginning = {}) => {
      const answer = held.begin(request(of, params, signal), { whose: of.subject, mayAsk }, (given) => {
        parts = given
        given.signal.addEventListener('abort', () => server.reject(new Error('cancelled')))
        return server.promise
      })
      return Promise.resolve().then(() => ({ answer }))
    },
    resume: (state: string, inputResponses: unknown = {}, of = ANN, params = {}, signal?: AbortSignal) =>
      held.resume(request(of, { ...params, inputResponses }, signal), state),
  }
}

interface Beginning {
  mayAsk?: () => boolean
  signal?: AbortSignal
  params?: Record<string, unknown>
}

const stateOf = ({ response }: Answer): string => (response.result as { requestState: string }).requestState
const keysOf = ({ response }: Answer): string[] =>
  Object.keys((response.result as { inputRequests: Record<string, unknown> }).inputRequests)
const accept = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, { action: 'accept', key }]))
const refusal = (reason: string) => expect.objectContaining({ reason })
const RESULT: RpcResponse = { jsonrpc: '2.0', id: 77, result: { done: true } }

afterEach(() => void vi.useRealTimers())

describe('a call', () => {
  it('that asks nothing is never held', async () => {
    const { begin, server, held } = setup()
    const { answer } = await begin()
    server.resolve(RESULT)
    expect(await answer).toEqual({ kind: 'answered', response: { ...RESULT, id: 1 } })
    expect(held.size()).toBe(0)
  })

  it('that asks is held, and goes on with the answers', async () => {
    const { begin, resume, parts, server, held } = setup()
    const { answer } = await begin()
    const said = [parts().ask(...form(1)), parts().ask(...form(2))]
    const asked = await answer
    expect(asked.response).toMatchObject({ id: 1, result: { resultType: 'input_required' } })
    expect(keysOf(asked)).toHaveLength(2)
    expect(isHeldState(stateOf(asked))).toBe(true)
    expect(held.size()).toBe(1)
    const again = resume(stateOf(asked), accept(keysOf(asked)))
    expect(await Promise.all(said)).toMatchObject([{ id: 1 }, { id: 2 }])
    server.resolve(RESULT)
    expect(await again).toEqual({ kind: 'answered', response: { ...RESULT, id: 2 } })
    expect(held.size()).toBe(0)
  })

  it('asks again for what is missing, does not read what was not asked, and asks what has come meanwhile', async () => {
    const { begin, resume, parts } = setup()
    const { answer } = await begin()
    void parts().ask(...form(1))
    const second = parts().ask(...form(2))
    const first = await answer
    const [one = '', two = ''] = keysOf(first)
    void parts().ask(...form(3))
    const next = await resume(stateOf(first), { ...accept([two]), other: { action: 'accept' } })
    expect(await second).toMatchObject({ result: { key: two } })
    expect(keysOf(next)).toHaveLength(2)
    expect(keysOf(next)).toContain(one)
    expect(keysOf(next)).not.toContain(two)
  })

  it('does not ask what its client cannot be asked', async () => {
    const { begin, parts } = setup()
    const { answer } = await begin(ANN, { mayAsk: () => false })
    expect(parts().ask(...form(1))).toBeUndefined()
    answer.catch(() => undefined)
  })

  it('whose server takes a question back goes on without it', async () => {
    const { begin, resume, parts, server } = setup()
    const { answer } = await begin()
    const withdrawn = new AbortController()
    const question = parts().ask(...form(1, withdrawn.signal))
    const asked = await answer
    withdrawn.abort()
    expect(await question).toMatchObject({ error: { message: 'The question was taken back.' } })
    const again = resume(stateOf(asked), accept(keysOf(asked)))
    server.resolve(RESULT)
    expect(await again).toMatchObject({ kind: 'answered' })
  })

  it('that ends while its client is away is told when the client is back', async () => {
    const { begin, resume, parts, server } = setup()
    const { answer } = await begin()
    void parts().ask(...form(1))
    const asked = await answer
    server.reject(new Error('The server is gone.'))
    await expect(resume(stateOf(asked), {})).rejects.toThrow('The server is gone.')
    await expect(resume(stateOf(asked), {})).rejects.toEqual(refusal('held_call_gone'))
  })

  it('tells its progress to the request that waits, under that one’s token', async () => {
    const { begin, resume, parts, heard, server } = setup()
    const { answer } = await begin(ANN, { params: { _meta: { progressToken: 'a' } } })
    const progress = (n: number) =>
      parts().onNotification({
        jsonrpc: '2.0',
        method: 'notifications/progress',
        params: { progressToken: 9, progress: n },
      })
    progress(1)
    void parts().ask(...form(1))
    const asked = await answer
    progress(2)
    const again = resume(stateOf(asked), accept(keysOf(asked)), ANN, { _meta: { progressToken: 'b' } })
    progress(3)
    server.resolve(RESULT)
    await again
    expect(heard.map(({ params }) => params)).toEqual([
      { progressToken: 'a', progress: 1 },
      { progressToken: 'b', progress: 3 },
    ])
  })
})

describe('a client that goes away', () => {
  it('in the middle of a request cancels the call', async () => {
    const { begin, parts } = setup()
    const left = new AbortController()
    const { answer } = await begin(ANN, { signal: left.signal })
    left.abort()
    await expect(answer).rejects.toThrow('cancelled')
    expect(parts().signal.aborted).toBe(true)
  })

  it('after it was asked has not cancelled, and cancels in the request that it comes back with', async () => {
    const { begin, resume, parts, held } = setup()
    const left = new AbortController()
    const { answer } = await begin(ANN, { signal: left.signal })
    void parts().ask(...form(1))
    const asked = await answer
    left.abort()
    expect(parts().signal.aborted).toBe(false)
    const leaving = new AbortController()
    const again = resume(stateOf(asked), accept(keysOf(asked)), ANN, {}, leaving.signal)
    leaving.abort()
    await expect(again).rejects.toThrow('cancelled')
    expect(held.size()).toBe(0)
  })

  it('and never comes back has its call cancelled at the server in the end', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { begin, parts, held, server } = setup()
    const { answer } = await begin()
    void parts().ask(...form(1))
    await answer
    vi.advanceTimersByTime(5 * 60_000 - 1)
    expect([held.size(), parts().signal.aborted]).toEqual([1, false])
    vi.advanceTimersByTime(1)
    expect([held.size(), parts().signal.aborted]).toEqual([0, true])
    await expect(server.promise).rejects.toThrow('cancelled')
  })
})

describe('the time for an answer', () => {
  const MINUTE = 60_000
  async function asked() {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const made = setup()
    const pass = (ms: number) => {
      made.state.now += ms
      vi.advanceTimersByTime(ms)
    }
    const { answer } = await made.begin()
    void made.parts().ask(...form(1))
    return { ...made, pass, first: await answer }
  }

  it('is that of the question: whoever comes back without an answer has no more of it', async () => {
    const { resume, parts, held, pass, first } = await asked()
    let last = first
    for (let minute = 1; minute <= 4; minute++) {
      pass(MINUTE)
      last = await resume(stateOf(last), { wrong: { action: 'accept' } })
      expect(keysOf(last)).toEqual(keysOf(first))
    }
    pass(MINUTE - 1)
    expect([held.size(), parts().signal.aborted]).toEqual([1, false])
    pass(1)
    expect([held.size(), parts().signal.aborted]).toEqual([0, true])
    await expect(resume(stateOf(last), accept(keysOf(first)))).rejects.toEqual(refusal('bad_state'))
  })

  it('begins anew with a question that the client has not seen', async () => {
    const { resume, parts, server, pass, first } = await asked()
    pass(4 * MINUTE)
    const again = resume(stateOf(first), accept(keysOf(first)))
    void parts().ask(...form(2))
    const second = await again
    pass(4 * MINUTE)
    const end = resume(stateOf(second), accept(keysOf(second)))
    server.resolve(RESULT)
    expect(await end).toMatchObject({ kind: 'answered' })
  })

  it('is that of the oldest one that is open', async () => {
    const { resume, parts, pass, first } = await asked()
    pass(4 * MINUTE)
    void parts().ask(...form(2))
    expect(keysOf(await resume(stateOf(first)))).toHaveLength(2)
    pass(MINUTE)
    expect(parts().signal.aborted).toBe(true)
  })
})

describe('a state', () => {
  const asked = async (self?: string) => {
    const made = setup(self)
    const { answer } = await made.begin()
    void made.parts().ask(...form(1))
    return { ...made, first: await answer }
  }

  it.each<[string, Partial<HeldFor>]>([
    ['another person', { subject: 'bob' }],
    ['another address', { address: 'old' }],
    ['another method', { method: 'prompts/get' }],
    ['another tool', { name: 'old__other' }],
    ['other arguments', { args: { x: 1, y: 3 } }],
    ['no arguments', { args: undefined }],
  ])('is nothing for %s, and is not used up by the attempt', async (_, changed) => {
    const { resume, first, held } = await asked()
    const other = { ...ANN, ...changed }
    await expect(resume(stateOf(first), accept(keysOf(first)), other)).rejects.toEqual(refusal('bad_state'))
    expect(held.ownerOf(other, stateOf(first))).toBeUndefined()
    expect(held.ownerOf(ANN, stateOf(first))).toBe('boot-of-this')
    expect(held.size()).toBe(1)
  })

  it('counts whatever the order of the arguments', async () => {
    const { resume, first, server } = await asked()
    const again = resume(stateOf(first), accept(keysOf(first)), { ...ANN, args: { y: 2, x: 1 } })
    server.resolve(RESULT)
    expect(await again).toMatchObject({ kind: 'answered' })
  })

  it('is good once, also while the first use still waits', async () => {
    const { resume, first, parts } = await asked()
    const again = resume(stateOf(first), accept(keysOf(first)))
    await expect(resume(stateOf(first), accept(keysOf(first)))).rejects.toEqual(refusal('bad_state'))
    void parts().ask(...form(2))
    const second = await again
    await expect(resume(stateOf(first), accept(keysOf(second)))).rejects.toEqual(refusal('bad_state'))
    expect(stateOf(second)).not.toBe(stateOf(first))
  })

  it('with answers that are none is refused, and may come again', async () => {
    const { resume, first, server } = await asked()
    for (const none of [[], 'x', { q1: 'yes' }, { q1: null }])
      await expect(resume(stateOf(first), none)).rejects.toEqual(refusal('bad_params'))
    const again = resume(stateOf(first), accept(keysOf(first)))
    server.resolve(RESULT)
    expect(await again).toMatchObject({ kind: 'answered' })
  })

  it('ends with its time', async () => {
    const { resume, first, state } = await asked()
    state.now += 5 * 60_000
    await expect(resume(stateOf(first))).rejects.toEqual(refusal('bad_state'))
  })

  it('changed in any character is nothing', async () => {
    const { resume, first } = await asked()
    const text = stateOf(first)
    for (let at = 5; at < text.length; at += 7) {
      const changed = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
      await expect(resume(changed)).rejects.toEqual(refusal('bad_state'))
    }
  })

  it('of another process is opened here, and its call is not', async () => {
    const { first } = await asked('boot-of-other')
    const here = setup()
    expect(here.held.ownerOf(ANN, stateOf(first))).toBe('boot-of-other')
    await expect(here.resume(stateOf(first))).rejects.toEqual(refusal('held_call_gone'))
  })
})

it('holds so many calls of one person, and those of others besides', async () => {
  const { held } = setup()
  const ask = async (subject: string, whose = subject) => {
    const asked = Promise.withResolvers<boolean>()
    const request = {
      message: { jsonrpc: '2.0' as const, id: 1, method: 'tools/call', params: {} },
      of: { ...ANN, subject },
    }
    const waiting = { ...request, signal: new AbortController().signal, onNotification: () => undefined }
    const answer = held.begin(waiting, { whose, mayAsk: () => true }, async ({ ask }) => {
      asked.resolve(ask(...form(1)) !== undefined)
      return new Promise(() => undefined)
    })
    const may = await asked.promise
    if (may) await answer
    return may
  }
  const anns: boolean[] = []
  for (let at = 0; at < 18; at++) anns.push(await ask('ann'))
  expect(anns.filter(Boolean)).toHaveLength(16)
  expect(await ask('bob')).toBe(true)
  // Nobody signed in: one name, and as many as there are networks.
  const [here, there] = ['anonymous 192.0.2.1', 'anonymous 192.0.2.2']
  for (let at = 0; at < 16; at++) expect(await ask('anonymous', here)).toBe(true)
  expect([await ask('anonymous', here), await ask('anonymous', there)]).toEqual([false, true])
  held.close()
  expect(held.size()).toBe(0)
})

it('whatever server and client do: each question has one answer, each state one use, and the call one end', async () => {
  const step = fc.oneof(
    fc.record({ act: fc.constant('ask' as const), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ act: fc.constant('withdraw' as const), which: fc.nat(9) }),
    fc.record({ act: fc.constant('resume' as const), answered: fc.nat(7) }),
    fc.record({ act: fc.constant('replay' as const), which: fc.nat(9) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const { begin, resume, parts, server, held } = setup()
      const settled: number[] = []
      const withdrawals: AbortController[] = []
      const used: string[] = []
      let asked = 0
      const ask = () => {
        const until = new AbortController()
        withdrawals.push(until)
        asked += 1
        const number = asked
        void parts()
          .ask(...form(number, until.signal))
          ?.then(({ id }) => void settled.push(Number(id)))
      }
      const { answer } = await begin()
      ask()
      let current = await answer
      for (const step of steps) {
        if (step.act === 'ask') for (let at = 0; at < step.count; at++) ask()
        if (step.act === 'withdraw') withdrawals[step.which]?.abort()
        if (step.act === 'replay' && used[step.which] !== undefined)
          await expect(resume(used[step.which] ?? '', {})).rejects.toEqual(refusal('bad_state'))
        if (step.act !== 'resume') continue
        const keys = keysOf(current).filter((_, at) => (step.answered & (1 << at)) !== 0)
        used.push(stateOf(current))
        const again = resume(stateOf(current), accept(keys))
        // So that there is something to come back with.
        ask()
        current = await again
        expect(current.kind).toBe('asked')
        expect(keysOf(current).some((key) => keys.includes(key))).toBe(false)
      }
      const last = resume(stateOf(current), accept(keysOf(current)))
      server.resolve(RESULT)
      let end = await last
      while (end.kind === 'asked') end = await resume(stateOf(end), accept(keysOf(end)))
      expect(end.response).toMatchObject({ result: RESULT.result })
      expect(new Set(settled).size).toBe(settled.length)
      expect(held.size()).toBe(0)
    }),
    { numRuns: 200 },
  )
})
