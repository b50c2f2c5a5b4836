import { describe, expect, it } from 'vitest'
import { isSafeLink, refusedInput, refusedQuestion } from './refused-question.ts'

const url = (link: unknown) => ({ mode: 'url', url: link, elicitationId: 'e', message: 'Sign in.' })

describe('a question of a server', () => {
  it.each([
    ['ping', {}, {}],
    ['roots/list', {}, { roots: {} }],
    ['sampling/createMessage', { messages: [] }, { sampling: {} }],
    ['sampling/createMessage', { tools: [] }, { sampling: { tools: {} } }],
    ['elicitation/create', { message: 'Name?' }, { elicitation: {} }],
    ['elicitation/create', { mode: 'form' }, { elicitation: { form: {}, url: {} } }],
    ['elicitation/create', url('https://login.example.com/x?y=1'), { elicitation: { url: {} } }],
  ])('%s %o may be asked of a client that declares %o', (method, params, declared) => {
    expect(refusedQuestion(method, params, declared)).toBeUndefined()
  })

  it.each([
    ['roots/list', {}, {}, 'not_declared'],
    ['roots/list', {}, { roots: true }, 'not_declared'],
    ['sampling/createMessage', {}, { roots: {} }, 'not_declared'],
    ['sampling/createMessage', { tools: [] }, { sampling: {} }, 'not_declared'],
    ['elicitation/create', {}, {}, 'not_declared'],
    ['elicitation/create', {}, { elicitation: { url: {} } }, 'not_declared'],
    ['elicitation/create', url('https://login.example.com/'), { elicitation: {} }, 'not_declared'],
    ['elicitation/create', url('https://login.example.com/'), { elicitation: { form: {} } }, 'not_declared'],
    ['elicitation/create', { mode: 'window' }, { elicitation: { url: {} } }, 'not_a_question'],
    ['elicitation/create', url('http://login.example.com/'), { elicitation: { url: {} } }, 'unsafe_link'],
    ['sampling/createMessage', { task: { ttl: 1 } }, { sampling: {}, tasks: {} }, 'not_declared'],
    ['tools/list', {}, { tools: {} }, 'not_a_question'],
    ['constructor', {}, {}, 'not_a_question'],
  ])('%s %o is refused where the client declares %o: %s', (method, params, declared, refusal) => {
    expect(refusedQuestion(method, params, declared)).toBe(refusal)
  })
})

describe('a link that people are sent to (catalogue row E39)', () => {
  it.each([
    'https://login.example.com',
    'https://login.example.com:8443/a/b?c=d#e',
    'HTTPS://login.example.com/',
    'http://127.0.0.1:3000/callback',
    'http://localhost/',
    'http://[::1]:80/',
  ])('%s is shown', (link) => {
    expect(isSafeLink(link)).toBe(true)
  })

  it.each([
    'http://login.example.com/',
    'javascript:alert(1)',
    'javascript://https://login.example.com/%0aalert(1)',
    'data:text/html,<script>',
    'file:///etc/passwd',
    'vbscript:x',
    'ftp://login.example.com/',
    '//login.example.com/',
    '/relative',
    'https:login.example.com',
    'https:\\\\login.example.com\\',
    'https://login.example.com\\@evil.example/',
    'https://login.example.com@evil.example/',
    'https://user:secret@login.example.com/',
    ' https://login.example.com/',
    'https://login.example.com/\u202egpj',
    'https://login.exаmple.com/',
    'https://login.example.com/\nx',
    'http://127.0.0.1.evil.example/',
    'http://localhost.evil.example/',
    `https://login.example.com/${'a'.repeat(2048)}`,
    '',
    42,
    undefined,
    { href: 'https://login.example.com/' },
  ])('%s is not', (link) => {
    expect(isSafeLink(link)).toBe(false)
  })
})

describe('what an input_required result asks for', () => {
  const asks = (...requests: unknown[]) => ({
    resultType: 'input_required',
    inputRequests: Object.fromEntries(requests.map((request, at) => [`r${at}`, request])),
  })
  const elicit = (params: object) => ({ method: 'elicitation/create', params })
  const declared = { elicitation: { form: {}, url: {} }, roots: {} }

  it('passes as far as the client declared it', () => {
    expect(refusedInput(asks(elicit({}), { method: 'roots/list' }), declared)).toBeUndefined()
    expect(refusedInput({ resultType: 'input_required', requestState: 's' }, declared)).toBeUndefined()
    expect(refusedInput({ resultType: 'complete', inputRequests: 'odd' }, {})).toBeUndefined()
  })

  it('is refused for one bad question among good ones', () => {
    expect(refusedInput(asks(elicit({}), elicit(url('javascript:alert(1)'))), declared)).toBe('unsafe_link')
    expect(refusedInput(asks(elicit({}), { method: 'sampling/createMessage' }), declared)).toBe('not_declared')
    expect(refusedInput(asks({ method: 'ping' }), declared)).toBe('not_a_question')
    expect(refusedInput(asks('elicitation/create'), declared)).toBe('not_a_question')
    expect(refusedInput({ resultType: 'input_required', inputRequests: [] }, declared)).toBe('not_a_question')
  })
})
