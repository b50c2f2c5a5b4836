// Which of a caller's own header fields go on, and with what value: cases 9 and D1, D2, D5 of the catalogues.
import { validateHeaderName, validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PassthroughConfig } from '../config/forwarding.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { type PassthroughNeeds, passthroughFor } from './passthrough.ts'

const ann: Principal = {
  ...ANONYMOUS,
  kind: 'person',
  subject: 'usr_1',
  email: 'ann@example.com',
  groups: ['a,b', 'ops'],
  method: 'access_token',
}
const CORP: Readonly<Record<string, ReturnType<PassthroughNeeds['identityOf']>>> = {
  'x-corp-user': { attribute: 'user' },
  'x-corp-proof': { attribute: undefined },
}
const needs = (list: PassthroughConfig, more: Partial<PassthroughNeeds> = {}): PassthroughNeeds => ({
  list,
  overwrite: false,
  identityOf: (field) => CORP[field],
  ownPrefix: 'x-forwarded-',
  ...more,
})
const passed = (list: PassthroughConfig, rawHeaders: string[], more: Partial<PassthroughNeeds> = {}, who = ann) =>
  passthroughFor(needs(list, more))?.({ principal: who, rawHeaders }) ?? {}

describe('a list of names', () => {
  it('lets those through, in any case, and nothing else', () => {
    const sent = ['x-tenant-id', 'acme', 'X-TRACE-ID', 't1', 'X-Other', 'o']
    expect(passed(['X-Tenant-Id', 'X-Trace-Id', 'X-Absent'], sent)).toEqual({
      'x-tenant-id': 'acme',
      'x-trace-id': 't1',
    })
    expect(passed([], sent)).toEqual({})
  })

  it('may give them another name, or two', () => {
    const list = [{ from: 'X-Tenant-Id', to: 'X-Account' }, 'X-Tenant-Id']
    expect(passed(list, ['X-Tenant-Id', 'acme'])).toEqual({ 'x-account': 'acme', 'x-tenant-id': 'acme' })
  })

  it('says nothing of a caller who sends none of them', () => {
    expect(passthroughFor(needs(['X-A']))?.({ principal: ann, rawHeaders: ['X-B', '1'] })).toBeUndefined()
    expect(passthroughFor(needs(['Cookie']))).toBeUndefined()
  })
})

const NEVER = [
  ...[
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Host',
    'Expect',
  ],
  ...['Content-Type', 'Content-Length', 'Content-Encoding', 'Accept', 'Accept-Encoding', 'Origin', 'Sec-Fetch-Site'],
  ...['Authorization', 'Proxy-Authorization', 'Cookie', 'Set-Cookie', 'X-Api-Key', 'api-key', 'apikey', 'DPoP'],
  ...['X-Auth-Token', 'X-Access-Token', 'X-User-Jwt', 'X-User-Claims', 'X-Portkey-Api-Key', 'X-Upstream-Authorization'],
  ...['Cf-Access-Jwt-Assertion', 'X-Amzn-Oidc-Data', 'X-Forwarded-Access-Token', 'X-SSL-Client-Cert'],
  ...['Mcp-Session-Id', 'Mcp-Method', 'MCP-Protocol-Version', 'Last-Event-Id', 'Mcp-Anything'],
  ...['X-Forwarded-For', 'X-Forwarded-Host', 'Forwarded', 'X-Real-Ip', 'X-Http-Method-Override', 'X-Original-Url'],
  ...['X-Portcullis-Assertion', 'X-Portcullis-Anything', 'Impersonate-User', 'X-Request-Id', 'X-Corp-Proof'],
]
const ALIASES = ['X_Tenant_Id', 'X.Tenant.Id', 'X-Tenant_Id', 'X-Ten\u00e4nt', 'X-Tenant-Id ', '']

describe('what never goes on', () => {
  it.each([...NEVER, ...ALIASES])('%s, as itself, under another name, or from another', (name) => {
    const sent = [name, 'planted', name.toUpperCase(), 'planted', 'X-Any', 'planted']
    expect(passed([name], sent.slice(0, 2))).toEqual({})
    expect(passed([{ from: 'X-Any', to: name }], sent)).toEqual({})
    expect(Object.keys(passed({ allExcept: [] }, sent))).toEqual(['x-any'])
    if (name !== 'X-Request-Id') expect(passed([{ from: name, to: 'X-Other' }], sent.slice(0, 2))).toEqual({})
  })

  it.each(['close, X-Tenant-Id', 'keep-alive,x-tenant-id', 'X-TENANT-ID', 'a,  x-Tenant-id  ,b'])(
    'a field that Connection names: %s',
    (connection) => {
      const list = ['X-Tenant-Id', 'X-Trace-Id']
      const sent = ['X-Tenant-Id', 'acme', 'Connection', connection, 'X-Trace-Id', 't']
      expect(passed(list, sent)).toEqual({ 'x-trace-id': 't' })
      expect(passed({ allExcept: [] }, sent)).toEqual({ 'x-trace-id': 't' })
    },
  )

  it('a field that comes twice: which of them is meant, nobody knows', () => {
    expect(passed(['X-Tenant-Id'], ['X-Tenant-Id', 'a', 'x-tenant-id', 'b'])).toEqual({})
    expect(passed(['X-Tenant-Id'], ['X-Tenant-Id', 'a', 'X-Tenant-Id', 'a', 'X-Tenant-Id', 'a'])).toEqual({})
  })
})

describe('who calls', () => {
  it.each([
    ['X-Authenticated-User', 'ann@example.com'],
    ['X-Forwarded-User', 'ann@example.com'],
    ['x-forwarded-user-id', 'usr_1'],
    ['X-Auth-Request-Email', 'ann@example.com'],
    ['X-Corp-User', 'ann@example.com'],
    ['X-Groups', '=?base64?YSxi?=,ops'],
  ])('%s is sent with what was verified, whatever the caller wrote', (name, value) => {
    expect(passed([name], [name, 'root'])).toEqual({ [name.toLowerCase()]: value })
    expect(passed([name], [])).toEqual({ [name.toLowerCase()]: value })
    expect(passed([{ from: name, to: 'X-Caller' }], [name, 'root'])).toEqual({ 'x-caller': value })
    expect(passed({ allExcept: [] }, [name, 'root'])).toEqual({})
    expect(passed([{ from: 'X-Any', to: name }], ['X-Any', 'root'])).toEqual({})
    expect(passed([name], [name, 'root'], {}, ANONYMOUS)).toEqual({})
  })

  it('under the prefix that this server is told with, nothing passes', () => {
    const more = { ownPrefix: 'x-caller-' }
    expect(passed(['X-Caller-Email', 'X-Callers'], ['X-Caller-Email', 'root', 'X-Callers', '2'], more)).toEqual({
      'x-callers': '2',
    })
    expect(passed([{ from: 'X-Any', to: 'X-Caller-Email' }], ['X-Any', 'root'], more)).toEqual({})
  })
})

describe('all but some', () => {
  it('lets through what nobody named, without what sounds like a secret', () => {
    const sent = [
      'X-Tenant-Id',
      'acme',
      'X-Trace-Id',
      't',
      'X-Company-Token',
      's',
      'X-Session',
      's',
      'Private-Key',
      's',
    ]
    expect(passed({ allExcept: ['X-TRACE-ID'] }, sent)).toEqual({ 'x-tenant-id': 'acme' })
    expect(passed(['X-Company-Token'], sent)).toEqual({ 'x-company-token': 's' })
  })

  it.each([
    ...['X-Email', 'X-Userinfo', 'X-Vouch-User', 'X-Remote-Group', 'X-Hasura-Role', 'X-Subject', 'X-Principal'],
    ...['X-Act-As', 'X-Impersonate-User', 'Sudo', 'X-Is-Admin', 'X-Pomerium-Claim-Email', 'X-Consumer-Custom-Id'],
  ])('keeps what sounds as if it said who calls: %s', (name) => {
    const sent = [name, 'root', 'X-Tenant-Id', 'acme', 'X-Factor', '2', 'X-Usergroups-Id', 'u', 'X-Mailbox', 'in']
    expect(passed({ allExcept: [] }, sent)).toEqual({ 'x-tenant-id': 'acme', 'x-factor': '2', 'x-mailbox': 'in' })
    expect(passed([name], sent)).toEqual({ [name.toLowerCase()]: 'root' })
  })

  it.each(['Proxy', 'X-Cluster-Client-IP', 'Fastly-Client-IP', 'X-ARR-ClientCert'])('never passes %s', (name) => {
    expect(passed({ allExcept: [] }, [name, 'x'])).toEqual({})
    expect(passed([name, 'X-Any'], [name, 'x', 'X-Any', 'y'])).toEqual({ 'x-any': 'y' })
  })
})

describe('what the gate sets', () => {
  it('gives way only where it may', () => {
    const sent = ['X-Request-Id', 'theirs']
    expect(passed(['X-Request-Id'], sent)).toEqual({})
    expect(passed(['X-Request-Id'], sent, { overwrite: true })).toEqual({ 'x-request-id': 'theirs' })
    expect(passed([{ from: 'X-Request-Id', to: 'X-Client-Request' }], sent)).toEqual({ 'x-client-request': 'theirs' })
    expect(passed(['Authorization', 'X-Forwarded-User'], ['Authorization', 'Bearer x'], { overwrite: true })).toEqual({
      'x-forwarded-user': 'ann@example.com',
    })
  })
})

describe('values', () => {
  it.each([
    ['white space', '  acme\t ', 'acme'],
    ['line breaks', 'a\r\nX-Forwarded-User: root', 'aX-Forwarded-User: root'],
    ['control characters of Latin-1', '\x85admin\xa0', 'admin'],
    ['NUL', 'a\0b', 'ab'],
    ['letters of Latin-1', 'J\u00f6rg', 'J\u00f6rg'],
  ])('are cleaned of %s', (_what, written, sent) => {
    expect(passed(['X-A'], ['X-A', written])).toEqual({ 'x-a': sent })
  })

  it.each(['', ' ', '\t\r\n', '\x85\xa0'])('%j is left out', (written) => {
    expect(passed(['X-A'], ['X-A', written])).toEqual({})
  })

  it('are cut to 4096 bytes', () => {
    expect(passed(['X-A'], ['X-A', 'x'.repeat(5000)])['x-a']).toHaveLength(4096)
    expect(passed(['X-A'], ['X-A', `${'x'.repeat(4095)} ${'y'.repeat(900)}`])['x-a']).toBe('x'.repeat(4095))
  })

  it('never break a head, whatever a caller sends', () => {
    const latin = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })
    const name = fc.oneof(
      latin,
      fc.constantFrom(...NEVER, 'X-A', 'x-a', 'X_A', 'X-Forwarded-User', 'X-Groups', '__proto__'),
    )
    const raw = fc.array(fc.tuple(name, latin), { maxLength: 12 }).map((pairs) => pairs.flat())
    const list = fc.oneof(
      fc.array(fc.oneof(name, fc.record({ from: name, to: name }))),
      fc.record({ allExcept: fc.array(name) }),
    )
    fc.assert(
      fc.property(list, raw, fc.boolean(), (rules, rawHeaders, overwrite) => {
        const allowed = new Set(['x-forwarded-user', 'x-groups'])
        for (const [field, value] of Object.entries(passed(rules, rawHeaders, { overwrite }))) {
          expect(() => validateHeaderName(field)).not.toThrow()
          expect(() => validateHeaderValue(field, value)).not.toThrow()
          expect(value).toMatch(/^[\x21-\x7e\xa1-\xff](?:[\x20-\x7e\xa0-\xff]*[\x21-\x7e\xa1-\xff])?$/)
          expect(value.length).toBeLessThanOrEqual(4096)
          const forbidden = NEVER.some((one) => one.toLowerCase() === field)
          expect(forbidden && !(overwrite && field === 'x-request-id')).toBe(false)
          if (allowed.has(field)) expect(['ann@example.com', '=?base64?YSxi?=,ops']).toContain(value)
        }
      }),
    )
  })
})
