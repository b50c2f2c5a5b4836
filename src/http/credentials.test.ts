import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { credentialsReader } from './credentials.ts'
import type { Exchange } from './exchange.ts'

/** As Node hands a request over: names in lower case joined, and the raw list beside it. */
function exchange(raw: readonly string[], { query = '', trusted = true } = {}): Exchange {
  const socket = Object.assign(new Socket(), { trusted })
  const req = new IncomingMessage(socket)
  req.rawHeaders = [...raw]
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    req.headers[name] = [req.headers[name] ?? [], raw[at + 1] ?? ''].flat().join(', ')
  }
  const res = new ServerResponse(req)
  return { req, res, path: '/', query, id: 'id', address: '203.0.113.9', viaProxy: false, at: 0 }
}

const read = credentialsReader({
  isTrusted: (socket) => 'trusted' in socket && socket.trusted === true,
  peerOf: () => '10.0.0.5',
  identityFields: ['x-authenticated-user', 'x-groups', 'X_Odd'],
})

describe('what a request shows', () => {
  it('is every line of a field, as it arrived, and of no other spelling', () => {
    const raw = ['X-Api-Key', 'a', 'Authorization', 'Bearer x', 'x-API-key', 'b', 'X_Api_Key', 'c']
    const credentials = read(exchange(raw, { query: 'a=1' }))
    expect(credentials.field('x-api-key')).toEqual(['a', 'b'])
    expect(credentials.field('authorization')).toEqual(['Bearer x'])
    expect(credentials.field('x-authenticated-user')).toEqual([])
    expect([credentials.query, credentials.address]).toEqual(['a=1', '203.0.113.9'])
  })

  it('is who the peer is, and whether its word counts', () => {
    expect(read(exchange([])).transport).toMatchObject({ trusted: true, peer: '10.0.0.5' })
    expect(read(exchange([], { trusted: false })).transport).toMatchObject({ trusted: false, peer: '10.0.0.5' })
    expect(read(exchange([])).transport.certificate()).toBeUndefined()
  })
})

const ALIASES = [
  'X_Authenticated_User',
  'x_authenticated-user',
  'X-Authenticated_User',
  'X.Authenticated.User',
  'x-authenticated.user',
  'X~Authenticated~User',
  'X_GROUPS',
  'X-Odd',
]

describe('another spelling of an identity field', () => {
  const refusal = (reason: string) => expect.objectContaining({ code: 'invalid_request', status: 400, reason })

  it.each(ALIASES)('%s from a trusted peer is refused', (name) => {
    expect(() => read(exchange(['X-Authenticated-User', 'ann', name, 'root']))).toThrow(
      refusal('identity_header_alias'),
    )
    expect(() => read(exchange([name, 'root']))).toThrow(refusal('identity_header_alias'))
  })

  it.each(ALIASES)('%s from anybody else is no matter: nothing of theirs counts', (name) => {
    expect(read(exchange([name, 'root'], { trusted: false })).field('x-authenticated-user')).toEqual([])
  })

  it.each(['X-Authenticated-User', 'x-authenticated-user', 'X-AUTHENTICATED-USER', 'X_Odd', 'X-Other_User'])(
    '%s is none: letters may be of either case, and other names are other names',
    (name) => {
      expect(read(exchange([name, 'ann'])).field(name.toLowerCase())).toEqual(['ann'])
    },
  )

  it.each([
    ['Connection', 'close, X-Authenticated-User'],
    ['connection', 'x-authenticated-user'],
    ['CONNECTION', 'keep-alive ,\tX-AUTHENTICATED-USER , TE'],
    ['Connection', 'X_Authenticated_User'],
    ['Trailer', 'X-Groups'],
  ])('and one that %s: %s lists is refused', (name, value) => {
    const raw = ['X-Authenticated-User', 'ann', name, value]
    expect(() => read(exchange(raw))).toThrow(refusal('identity_header_listed'))
    expect(read(exchange(raw, { trusted: false })).transport.trusted).toBe(false)
    expect(read(exchange(['X-Authenticated-User', 'ann', name, 'keep-alive, TE'])).transport.trusted).toBe(true)
  })

  it('is nobody’s business where no proxy is configured', () => {
    const plain = credentialsReader({ isTrusted: () => true, peerOf: () => '', identityFields: [] })
    expect(plain(exchange(['X_Authenticated_User', 'root'])).field('x-authenticated-user')).toEqual([])
  })
})
