import { describe, expect, it } from 'vitest'
import { firstId } from './audit.ts'
import { eventText } from './event-text.ts'

describe('eventText', () => {
  it('tells a call', () => {
    const event = {
      kind: 'call',
      id: 'x',
      time: '2026-11-20T10:00:00.000Z',
      subject: 'u1',
      email: 'ann@example.com',
      client: 'c1',
      server: 'files',
      method: 'tools/call',
      name: 'read_file',
      decision: 'allow',
      reason: 'allowed_by_rule',
      rule: 'everything',
      address: '127.0.0.1',
      outcome: 'answered',
      latency: 12.4,
    }
    expect(eventText(JSON.stringify(event))).toBe(
      '2026-11-20T10:00:00.000Z  allow  ann@example.com via c1  files  tools/call  read_file  everything  allowed_by_rule  answered  12 ms',
    )
  })

  it('tells an act, by subject when there is no address', () => {
    const event = { kind: 'act', time: 't', act: 'sign_in', decision: 'deny', reason: 'wrong_password', subject: 'u1' }
    expect(eventText(JSON.stringify(event))).toBe('t  deny   u1  sign_in  wrong_password')
  })

  it('lets no name move the cursor', () => {
    const text = eventText(JSON.stringify({ decision: 'deny', name: '\u001b[2J\r\n\u009b\u202e' }))
    expect(text).toContain('\\u001b[2J\\u000d\\u000a\\u009b\\u202e')
  })

  it('shows a line that is no event as it is', () => {
    expect(eventText('half a li')).toBe('half a li')
  })
})

describe('firstId', () => {
  it('is below every id of that millisecond and above those before', () => {
    const at = Date.UTC(2026, 10, 20)
    const hex = (time: number) => time.toString(16).padStart(12, '0')
    const id = (time: number) => `${hex(time).slice(0, 8)}-${hex(time).slice(8)}-7000-8000-000000000000`
    expect(firstId(at) < id(at)).toBe(true)
    expect(firstId(at) > id(at - 1)).toBe(true)
  })
})
