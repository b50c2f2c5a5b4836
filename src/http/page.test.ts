// The headers of a page: nothing runs, nothing frames it, and its forms lead where they may.
import { describe, expect, it } from 'vitest'
import { type FormAction, pageHeaders } from './page.ts'

const csp = (sources?: FormAction) => pageHeaders(sources)['Content-Security-Policy']

describe('pageHeaders', () => {
  it('allows no script, no frame, no base and no form by default', () => {
    expect(csp()).toBe(
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    )
    expect(pageHeaders()).toMatchObject({ 'X-Frame-Options': 'DENY', 'Cache-Control': 'no-store' })
  })

  it('names each form target once', () => {
    expect(csp(["'self'", 'https://a.example', 'cursor:', "'self'"])).toContain(
      "form-action 'self' https://a.example cursor:;",
    )
  })

  it('says nothing of forms that may lead anywhere, and still refuses all else', () => {
    expect(csp('anywhere')).toBe(
      "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    )
  })

  it.each(["https://a.example; script-src 'unsafe-inline'", 'https://a b', 'https://a,b', '*', "'unsafe-inline'"])(
    'refuses the source %s',
    (source) => {
      expect(() => pageHeaders([source])).toThrow(TypeError)
    },
  )
})
