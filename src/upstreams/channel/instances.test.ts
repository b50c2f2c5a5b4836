// Whose channel is whose: one for all, a few that callers share, one for each.
import { afterEach, describe, expect, it } from 'vitest'
import { ANONYMOUS } from '../../protocol/principal.ts'
import type { Caller } from '../caller.ts'
import { type ChannelUpstream, type Given, UpstreamError } from '../upstream.ts'
import { createChannel } from './channel.ts'
import { type Instances, openInstances, type Whose } from './instances.ts'
import type { Ears, Transport } from './transport.ts'

const caller = (subject: string): Caller => ({ principal: { ...ANONYMOUS, kind: 'person', subject }, rawHeaders: [] })
const bearer = (token: string): Given => ({ headers: { authorization: `Bearer ${token}` } })
const silence = () => undefined

/** Answers at once with what it was opened with; `hold` is not answered. */
function openFake(whose: Whose, count: { opened: number; stopped: number }): (ears: Ears) => Transport {
  return (ears) => {
    count.opened += 1
    const token = whose.granted().given.headers['authorization']
    const said = { token, told: whose.granted().told, mark: whose.mark, number: count.opened, declared: {}, answer: {} }
    const initialization = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: {} }
    const ended = Promise.withResolvers<UpstreamError>()
    return {
      ready: Promise.resolve(),
      send(message) {
        if (isHandshake(message)) said.declared = message.params.capabilities
        // It puts its question while the call is under way, and answers the call with what it was told.
        if ('method' in message && message.method === 'question')
          ears.receive(JSON.stringify({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create' }))
        if ('error' in message) said.answer = message.error ?? {}
        if (!('id' in message && 'method' in message) || message.method === 'hold') return undefined
        const result = message.method === 'initialize' ? initialization : said
        ears.receive(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }))
        return undefined
      },
      ended: ended.promise,
      async stop() {
        count.stopped += 1
        ended.resolve(new UpstreamError('exited', 'It was stopped.'))
      },
    }
  }
}

const isHandshake = (message: object): message is { params: { capabilities: object } } =>
  'method' in message && message.method === 'initialize'

const open: Instances[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((instances) => instances.close()))
})

interface Own {
  readonly kind?: 'shared' | 'per-principal' | 'pool'
  readonly mostInstances?: number
  readonly concurrencyShare?: number
  readonly opensAgain?: boolean
}

function start(own: Own = {}) {
  const count = { opened: 0, stopped: 0 }
  const time = { now: 0 }
  const { kind = 'per-principal', mostInstances = 64, concurrencyShare = 0.5, opensAgain = true } = own
  const instances = openInstances(
    { id: 'one', instances: kind, poolSize: 4, mostInstances, concurrencyShare, instanceIdle: 600_000 },
    {
      kind,
      opensAgain,
      clock: () => time.now,
      open: (whose) =>
        createChannel(
          { id: 'one', requestTimeout: 10_000, idleTimeout: 10_000 },
          {
            open: openFake(whose, count),
            admit: whose.admit,
            granted: whose.granted,
            renewed: whose.renewed,
            personal: whose.mark !== undefined,
            declares: whose.declares,
            log: { debug: silence, info: silence, warn: silence },
            clock: () => time.now,
            onJunk: silence,
            report: silence,
          },
        ),
    },
  )
  open.push(instances)
  const of = (subject: string | undefined, token = `of ${subject}`, owner?: string) =>
    instances.instanceFor?.(subject === undefined ? undefined : caller(subject), {
      given: bearer(token),
      owner,
      told: { 'x-user': `${subject}` },
    }) ?? instances
  return { instances, of, count, time }
}

const never = new AbortController().signal
const ask = async (upstream: ChannelUpstream, method = 'whose', signal = never) =>
  (await upstream.request({ jsonrpc: '2.0', id: 1, method }, { signal, onNotification: silence })).result as {
    token: string
    told: object
    mark: string | undefined
    number: number
    declared: object
    answer: object
  }

describe('what it may ask', () => {
  it.each([
    ['per-principal', ['sampling', 'elicitation', 'roots']],
    ['shared', []],
    ['pool', []],
  ] as const)('%s: the gate’s own hears what those of callers hear', async (kind, capabilities) => {
    const { of } = start({ kind })
    for (const who of [undefined, 'ann']) expect(Object.keys((await ask(of(who))).declared)).toEqual(capabilities)
  })

  it('has no answer where the gate asks for itself', async () => {
    const { of } = start()
    await ask(of(undefined), 'question')
    expect((await ask(of(undefined))).answer).toMatchObject({ code: -32601 })
  })
})

describe('one for each caller', () => {
  it('is the same for the same caller, and has what only they were given', async () => {
    const { of } = start()
    const [ann, again, bob] = [of('ann'), of('ann'), of('bob')]
    expect(ann).toBe(again)
    expect(ann).not.toBe(bob)
    expect(await Promise.all([ask(ann), ask(bob)])).toMatchObject([
      { token: 'Bearer of ann', told: { 'x-user': 'ann' } },
      { token: 'Bearer of bob', told: { 'x-user': 'bob' } },
    ])
    expect([ann.personal, bob.personal]).toEqual([true, true])
  })

  it('has a name that says nothing of the caller', async () => {
    const { of } = start()
    expect((await ask(of('ann@example.com'))).mark).toMatch(/^[0-9a-f]{32}$/)
  })

  it('is none for callers who are nobody, and the gate has one of its own', async () => {
    const { instances, of } = start()
    const nobody = { principal: ANONYMOUS, rawHeaders: [] }
    expect(() => instances.instanceFor?.(nobody, { given: bearer('x'), told: {} })).toThrow(
      expect.objectContaining({ reason: 'anonymous_caller' }),
    )
    const ours = await ask(of(undefined))
    expect(ours.told).toEqual({})
    expect(ours).not.toHaveProperty('mark')
  })

  it('is one for each owner where one caller speaks for several, and all of them end with the caller', async () => {
    const { instances, count } = start()
    const of = (who: Caller, owner: string) =>
      instances.instanceFor?.(who, { given: bearer(owner), told: {}, owner }) ?? instances
    const backend = caller('backend')
    const people = ['ann', 'bob', 'ann', 'bob'].map((owner) => of(backend, owner))
    const said = await Promise.all(people.map((one) => ask(one)))
    expect(said.map(({ token }) => token)).toEqual(['Bearer ann', 'Bearer bob', 'Bearer ann', 'Bearer bob'])
    expect(count).toEqual({ opened: 2, stopped: 0 })
    instances.endInstance?.('backend')
    expect(count).toEqual({ opened: 2, stopped: 2 })
    // Callers who are nobody are told apart by it, too.
    expect(await ask(of({ principal: ANONYMOUS, rawHeaders: [] }, 'cyd'))).toMatchObject({ token: 'Bearer cyd' })
  })

  it('is forgotten when there are too many, the longest unused first', async () => {
    const { of, time } = start({ mostInstances: 2 })
    const first = of('person 0')
    for (let at = 1; at <= 4; at += 1) {
      time.now += 1
      of(`person ${at}`)
    }
    expect(of('person 4')).toBe(of('person 4'))
    expect(of('person 0')).not.toBe(first)
  })

  it('begins anew with a new credential, while the calls under way end with the old one', async () => {
    const { of, count } = start()
    const held = new AbortController()
    const call = ask(of('ann', 'first'), 'hold', held.signal)
    expect(await ask(of('ann', 'first'))).toMatchObject({ token: 'Bearer first' })
    expect(await ask(of('ann', 'second'))).toMatchObject({ token: 'Bearer second' })
    expect(count).toEqual({ opened: 2, stopped: 0 })
    held.abort()
    await expect(call).rejects.toMatchObject({ reason: 'cancelled' })
    expect(count).toEqual({ opened: 2, stopped: 1 })
    expect(await ask(of('ann', 'second'))).toMatchObject({ number: 2 })
  })

  it('stays open under a new credential where each message has a head of its own', async () => {
    const { of, count } = start({ opensAgain: false })
    await ask(of('ann', 'first'))
    await ask(of('ann', 'second'))
    expect(count).toEqual({ opened: 1, stopped: 0 })
  })

  it('ends when nobody has used it for long, and not while somebody listens or waits', async () => {
    const { instances, of, count, time } = start()
    const held = new AbortController()
    const call = ask(of('waits'), 'hold', held.signal).catch(silence)
    const stop = of('listens').subscribe(silence)
    await Promise.all([ask(of('listens')), ask(of('gone'))])
    time.now = 600_000
    instances.sweep()
    expect(count).toEqual({ opened: 3, stopped: 1 })
    stop()
    held.abort()
    await call
    instances.sweep()
    expect(count).toEqual({ opened: 3, stopped: 3 })
    expect(await ask(of('gone'))).toMatchObject({ number: 4 })
  })

  it('makes room for another: the longest idle ends, and one in use never', async () => {
    const { of, time } = start({ mostInstances: 2 })
    const held = new AbortController()
    const call = ask(of('ann'), 'hold', held.signal).catch(silence)
    time.now += 1
    expect(await ask(of('bob'))).toMatchObject({ number: 2 })
    time.now += 1
    // Bob's ends, though Ann's is older: hers is in use.
    expect(await ask(of('cyd'))).toMatchObject({ number: 3 })
    expect(await ask(of('cyd'))).toMatchObject({ number: 3 })
    expect(await ask(of('bob'))).toMatchObject({ number: 4 })
    held.abort()
    await call
  })

  it('is refused where all are in use', async () => {
    const { of } = start({ mostInstances: 2 })
    const held = new AbortController()
    const calls = ['ann', 'bob'].map((who) => ask(of(who), 'hold', held.signal).catch(silence))
    await expect(ask(of('cyd'))).rejects.toMatchObject({ reason: 'busy' })
    held.abort()
    await Promise.all(calls)
    expect(await ask(of('cyd'))).toMatchObject({ token: 'Bearer of cyd' })
  })

  it('of one caller with many accounts is one of their share, and makes room among their own', async () => {
    const { of, time } = start({ mostInstances: 4 })
    const annAs = (account: string) => of('ann', account, account)
    expect(await ask(of('bob'))).toMatchObject({ number: 1 })
    for (const account of ['a', 'b', 'c']) {
      time.now += 1
      await ask(annAs(account))
    }
    // Two were hers at most: the first of them has ended, and Bob's, older still, has not.
    expect(await ask(of('bob'))).toMatchObject({ number: 1 })
    expect(await ask(annAs('c'))).toMatchObject({ number: 4 })
    expect(await ask(annAs('a'))).toMatchObject({ number: 5 })
  })

  it('of one caller with many accounts is refused where their share is in use, and nobody else’s is', async () => {
    const { of } = start({ mostInstances: 4 })
    const held = new AbortController()
    const calls = ['a', 'b'].map((account) => ask(of('ann', account, account), 'hold', held.signal).catch(silence))
    await expect(ask(of('ann', 'c', 'c'))).rejects.toMatchObject({ reason: 'busy_principal' })
    expect(await ask(of('bob'))).toMatchObject({ token: 'Bearer of bob' })
    held.abort()
    await Promise.all(calls)
    expect(await ask(of('ann', 'c', 'c'))).toMatchObject({ token: 'Bearer c' })
  })

  it('ends at once with what the caller was given, and with it the calls under way', async () => {
    const { instances, of, count } = start()
    const [ann, bob] = [of('ann'), of('bob')]
    await Promise.all([ask(ann), ask(bob)])
    const call = ask(ann, 'hold')
    instances.endInstance?.('ann')
    await expect(call).rejects.toMatchObject({ reason: 'exited' })
    // Whoever still holds it opens nothing with it.
    await expect(ask(ann)).rejects.toMatchObject({ reason: 'exited' })
    expect(count).toEqual({ opened: 2, stopped: 1 })
    expect(await ask(bob)).toMatchObject({ number: 2 })
    expect(await ask(of('ann'))).toMatchObject({ number: 3 })
  })
})

describe('what callers share', () => {
  it('is one, told of nobody and asking nobody', async () => {
    const { instances, of } = start({ kind: 'shared' })
    expect(of('ann')).toBe(of('bob'))
    expect(of('ann').personal).toBe(false)
    await ask(of('ann', 'ours'))
    expect(await ask(of('bob', 'ours'))).toMatchObject({ number: 1, told: {}, token: 'Bearer ours' })
    expect(await ask(instances)).toMatchObject({ number: 1 })
  })

  it('is a pool in which a caller always meets the same one', async () => {
    const { of, count } = start({ kind: 'pool' })
    const people = Array.from({ length: 40 }, (_, at) => `person ${at}`)
    const first = await Promise.all(people.map((who) => ask(of(who, 'ours'))))
    const second = await Promise.all(people.map((who) => ask(of(who, 'ours'))))
    expect(second.map(({ number }) => number)).toEqual(first.map(({ number }) => number))
    expect(count).toEqual({ opened: 4, stopped: 0 })
  })
})
