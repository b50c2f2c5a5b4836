// What a server says on the stream that answers one call through the aggregate: catalogue rows E14, E18, E26, E27, E37 and E39.
import { describe, expect, it } from 'vitest'
import { readEvent } from '../../../protocol/events.ts'
import { answerStream } from '../../answer-stream.ts'
import { FAULTS } from '../../fault.ts'
import { createAside, type UpstreamPlace } from './server-message.ts'

const place: UpstreamPlace = { server: 'a', session: 'of-ann', revision: '2025-11-25' }

function open({ token, modern = false }: { token?: unknown; modern?: boolean } = {}) {
  const refused: unknown[] = []
  const changed: string[] = []
  const aside = createAside(
    {
      hearer: {
        sees: (server) => server === 'a',
        mayRead: (_, uri) => uri === 'file:///docs',
        isSubscribed: (_, uri) => uri === 'file:///docs',
        // Of the session: another call of it asked for this one.
        isProgressOf: (_, other) => other === 'other',
      },
      asking: modern
        ? undefined
        : {
            questions: { seal: (_, { server, id }) => `sealed ${server} ${id}`, sealed: () => undefined },
            asked: { subject: 'ann', session: 's1' },
            capabilities: { elicitation: { url: {} } },
            refuse: (_, response) => void refused.push(response),
          },
      onListChanged: (server) => void changed.push(server),
    },
    { server: 'a', place: modern ? undefined : place, token },
  )
  const screen = { edit: undefined, reword: undefined, hears: undefined, aside }
  const stream = answerStream({ id: 1, screen, requestsAllowed: !modern })
  const pass = (event: string) => stream.pass(Buffer.from(event))
  const say = (message: object) => {
    const passed = pass(`id: 5\nevent: endpoint\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`)
    if (!Buffer.isBuffer(passed)) return passed
    const { data } = readEvent(passed)
    if (data !== undefined && !('result' in message))
      expect(passed.toString()).toMatch(/^event: message\ndata: .*\n\n$/)
    return data === undefined ? undefined : JSON.parse(data.toString())
  }
  return { stream, say, pass, refused, changed }
}

const notification = (method: string, params?: object) => ({
  method: `notifications/${method}`,
  ...(params && { params }),
})
const link = (url: string) => ({ mode: 'url', url, elicitationId: 'e', message: 'Sign in.' })

describe('beside the answer to a call', () => {
  it('a question goes to the client under a sealed id, and the answer comes as it is', () => {
    const { say, stream } = open()
    const params = link('https://login.example.com/')
    expect(say({ id: 3, method: 'elicitation/create', params })).toEqual({
      jsonrpc: '2.0',
      id: 'sealed a 3',
      method: 'elicitation/create',
      params,
    })
    expect(stream.pending()).toBe(true)
    expect(say({ id: 1, result: { ok: true } })).toEqual({ jsonrpc: '2.0', id: 1, result: { ok: true } })
    expect(stream.pending()).toBe(false)
  })

  it('a question that must not be asked is refused at the server', () => {
    const { say, refused } = open()
    expect(say({ id: 3, method: 'elicitation/create', params: link('javascript:alert(1)') })).toBeUndefined()
    expect(say({ id: 4, method: 'sampling/createMessage', params: {} })).toBeUndefined()
    expect(refused).toMatchObject([
      { id: 3, error: { code: -32602 } },
      { id: 4, error: { code: -32601 } },
    ])
  })

  it('no question is asked of a client of the modern era', () => {
    const { say } = open({ modern: true })
    expect(say({ id: 3, method: 'roots/list' })).toBe(FAULTS.protocol)
  })

  it('progress is that of this call', () => {
    const { say } = open({ token: 'p' })
    const mine = notification('progress', { progressToken: 'p', progress: 1 })
    expect(say(mine)).toEqual({ jsonrpc: '2.0', ...mine })
    for (const progressToken of ['q', 'other', undefined])
      expect(say(notification('progress', { progressToken, progress: 1 }))).toBeUndefined()
    expect(open().say(notification('progress', { progress: 1 }))).toBeUndefined()
  })

  it('the log passes, changes of lists and of subscribed resources too, and nothing else', () => {
    const { say, changed } = open()
    const log = notification('message', { level: 'info', data: 'x' })
    expect(say(log)).toEqual({ jsonrpc: '2.0', ...log })
    expect(say(notification('tools/list_changed'))).toEqual({ jsonrpc: '2.0', ...notification('tools/list_changed') })
    expect(changed).toEqual(['a'])
    expect(say(notification('resources/updated', { uri: 'file:///docs' }))).toBeDefined()
    expect(say(notification('resources/updated', { uri: 'file:///secret' }))).toBeUndefined()
    expect(say(notification('of_its_own'))).toBeUndefined()
  })

  it('nothing is resumed: the ids of events are several servers’', () => {
    const { stream, pass } = open()
    expect(pass('id: 7\ndata:\n\n')).toEqual(Buffer.from(':\n\n'))
    expect(stream.resumable()).toBe(false)
  })

  it('what is too long to be judged ends the stream', () => {
    const { stream } = open()
    expect(stream.passPart(Buffer.from('data: {'), false)).toBe(FAULTS.too_large)
  })

  it.each([{ id: 2, result: {} }, { id: 1, method: 'roots/list', result: {} }, { result: {} }])(
    'a lie ends the stream: %o',
    (message) => {
      expect(open().say(message)).toBe(FAULTS.protocol)
    },
  )
})
