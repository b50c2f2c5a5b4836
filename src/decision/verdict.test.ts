import { describe, expect, it } from 'vitest'
import { BearerError, RequestError, StoreUnavailable } from '../protocol/errors.ts'
import { documented, forNginx, passed, redirected, refused, type Verdict } from './verdict.ts'

const resource = { url: 'https://app.example.com', title: 'app', server: 'app', scopes: ['mcp:tools'] }
const fieldOf = ({ headers }: Verdict, name: string) => headers[headers.indexOf(name) + 1]

describe('an answer to an ingress', () => {
  it.each<[string, Verdict, number]>([
    ['passed', passed(['X-Forwarded-User', 'ann']), 200],
    ['a document', documented({ resource: 'x' }), 200],
    ['a redirect', redirected('https://gate.example.com/', 'to_sign_in', ['a=b']), 302],
    ['a challenge', refused(new BearerError(undefined, 'no_credential', 'x'), resource), 401],
    ['a refusal', refused(new RequestError(403, 'not_admitted', 'No.'), resource), 403],
    ['a failure', refused(new Error('boom')), 500],
    ['a store that is gone', refused(new StoreUnavailable('gone')), 503],
  ])('is about this caller alone: %s', (_what, verdict, status) => {
    expect(verdict.status).toBe(status)
    expect(fieldOf(verdict, 'Cache-Control')).toBe('no-store')
    expect(fieldOf(verdict, 'Vary')).toBe('Cookie, Authorization')
    expect(fieldOf(verdict, 'Content-Length')).toBe(String(Buffer.byteLength(verdict.body)))
  })

  it('says nothing of what went wrong inside', () => {
    const { body } = refused(new Error('the password is hunter2'))
    expect(body).not.toContain('hunter2')
  })
})

describe('the three answers that nginx knows', () => {
  it.each([
    [200, 200],
    [302, 401],
    [400, 403],
    [401, 401],
    [403, 403],
    [413, 403],
    [429, 403],
    [500, 500],
    [503, 503],
  ])('%i is %i to it', (status, told) => {
    const verdict = { ...passed([]), status }
    expect(forNginx(verdict).status).toBe(told)
    expect(forNginx(verdict).headers).toEqual(verdict.headers)
  })

  it('a redirect is told in a field that nginx does not rewrite', () => {
    const told = forNginx(redirected('https://gate.example.com/', 'to_sign_in', ['a=b']))
    expect(fieldOf(told, 'X-Portcullis-Location')).toBe('https://gate.example.com/')
    expect(fieldOf(told, 'Set-Cookie')).toBe('a=b')
    expect(told.headers).not.toContain('Location')
  })
})
