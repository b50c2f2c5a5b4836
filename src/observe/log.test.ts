// One JSON line each, and no secret in any of them.
import { describe, expect, it } from 'vitest'
import { BearerError } from '../protocol/errors.ts'
import { createLog } from './log.ts'
import { redactText } from './redact.ts'

function open(over: { level?: 'debug' | 'info' | 'warn' | 'error'; terminal?: boolean } = {}) {
  const lines: string[] = []
  const log = createLog({ level: 'info', terminal: false, destination: { write: (line) => lines.push(line) }, ...over })
  return { log, lines, last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}') }
}

describe('createLog', () => {
  it('writes a line a call, from its level on', () => {
    const { log, lines, last } = open({ level: 'warn' })
    log.debug({}, 'a')
    log.info({}, 'b')
    expect(lines).toEqual([])
    log.warn({ server: 'github', attempts: 3 }, 'No connection')
    expect(lines).toHaveLength(1)
    expect(last()).toMatchObject({ level: 'warn', message: 'No connection', server: 'github', attempts: 3 })
    expect(String(last()['time'])).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
    log.error({}, 'c')
    expect(last()['level']).toBe('error')
  })

  it('keeps line feeds and escapes inside the line', () => {
    const { log, lines } = open()
    log.info({ name: 'a\r\n{"level":"error"}\u001b[2J' }, 'x\ny')
    const line = lines.join('').trimEnd()
    for (const character of ['\r', '\n', '\u001b']) expect(line).not.toContain(character)
  })

  it('writes errors with reason and causes', () => {
    const { log, last } = open()
    const error = new BearerError('invalid_token', 'expired', 'Not valid.')
    log.error({ error: new Error('outer', { cause: error }) }, 'Refused')
    expect(last()).toMatchObject({
      error: { type: 'Error', message: 'outer', cause: { type: 'BearerError', reason: 'expired' } },
    })
    log.error(error, 'Bare')
    expect(last()).toMatchObject({ message: 'Bare', error: { reason: 'expired' } })
  })

  it('does not let an object speak for the line', () => {
    const { log, lines, last } = open()
    log.info({ level: 'error', message: 'forged', time: 'never' }, 'Real')
    expect(lines.join('').match(/"level"/g)).toHaveLength(2)
    expect(last()).toMatchObject({ level: 'info', message: 'Real', fields: { level: 'error', message: 'forged' } })
  })

  it('is never the cause of a failure', () => {
    const { log, last } = open()
    const circle: Record<string, unknown> = { id: 1n }
    circle['self'] = circle
    log.info({ circle }, 'Circle')
    expect(last()).toMatchObject({ circle: { id: '1', self: '[…]' } })
    const trap = {
      get bad(): string {
        throw new Error('getter')
      },
    }
    log.info(trap, 'Trap')
    expect(last()['message']).toBe('Trap')
  })

  it('is readable on a terminal, which it does not let be steered', () => {
    const { log, lines } = open({ terminal: true })
    log.warn({ server: 'github', name: 'a b\u001b[2J\u009b', error: new Error('away') }, 'No connection\u202e')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}No connection\\u202e server=github name="a b\\u001b\[2J\\u009b" error=\{"type":"Error","message":"away"\}\n$/,
    )
  })
})

describe('secrets', () => {
  const SECRET = 'sEcReT-0123456789'
  it.each([
    [{ headers: { authorization: `Bearer ${SECRET}`, Cookie: `__Host-session=${SECRET}`, 'x-api-key': SECRET } }],
    [{ access_token: SECRET, refreshToken: SECRET, id_token_hint: SECRET, setupToken: SECRET }],
    [{ client: { client_secret: SECRET, password: SECRET }, list: [{ code_verifier: SECRET }] }],
    [{ tokens: { some: SECRET }, credentials: { headers: { 'X-Key': SECRET } } }],
    [{ url: `https://a.example/cb?code=${SECRET}&state=${SECRET}#x`, dsn: `postgresql://portcullis:${SECRET}@db/p` }],
    [{ note: `sent Authorization: Bearer ${SECRET}` }],
    [{ error: new Error(`bad token Bearer ${SECRET}`, { cause: { assertion: SECRET } }) }],
    [Object.assign(new Error('x'), { token: SECRET })],
    [{ url: new URL(`https://u:${SECRET}@a.example/?access_token=${SECRET}`) }],
    [{ key: Buffer.from(SECRET) }],
  ])('never reach the log: %#', (object) => {
    const { log, lines } = open()
    log.error(object, `Failed with Bearer ${SECRET}`)
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain(SECRET)
    expect(lines[0]).not.toContain('"data":')
  })

  it('leave the rest alone', () => {
    const { log, last } = open()
    log.info({ tokenEndpoint: '/oauth/token', tokenType: 'Bearer', sessions: 4, client: 'c1', expiresAt: 'x' }, 'ok')
    expect(last()).toMatchObject({
      tokenEndpoint: '/oauth/token',
      tokenType: 'Bearer',
      sessions: 4,
      client: 'c1',
      expiresAt: 'x',
    })
  })

  it('are found inside sentences', () => {
    expect(redactText('jwt eyJhbGciOi.eyJzdWIi.c2ln end')).toBe('jwt [redacted] end')
    expect(redactText('key pc_live_0123456789')).toBe('key [redacted]')
    expect(redactText('GET /cb?code=abc&x=1')).toBe('GET /cb?code=[redacted]&x=1')
  })
})
