import { describe, expect, it } from 'vitest'
import { parseEmail, parseEmailPattern } from './email.ts'

describe('parseEmail', () => {
  it('folds ASCII capitals', () => {
    expect(parseEmail('Ann.Smith+x@Example.COM')).toBe('ann.smith+x@example.com')
  })

  it.each([
    'a@evil.example@corp.example',
    'victim@corp.example\n',
    ' victim@corp.example',
    'victim@corp.example,evil@x.example',
    '"victim@corp.example"@evil.example',
    '<victim@corp.example>',
    'victim(comment)@corp.example',
    'vi\u017Ftim@corp.example',
    'mar\u212A@corp.example',
    'victim@corp.example\u0000',
    'victim@',
    '@corp.example',
    'victim@.corp.example',
    `${'x'.repeat(65)}@corp.example`,
    '',
    7,
    ['victim@corp.example'],
  ])('refuses %j', (value) => {
    expect(parseEmail(value)).toBeUndefined()
  })
})

describe('parseEmailPattern', () => {
  it('is an address or a whole domain, folded', () => {
    expect(parseEmailPattern(' Ann@Example.com ')).toBe('ann@example.com')
    expect(parseEmailPattern('*@Example.com')).toBe('*@example.com')
  })

  it.each(['*', '*example.com', 'a*@example.com', 'example.com', '*@', '', 'a@b@c'])('refuses %j', (pattern) => {
    expect(parseEmailPattern(pattern)).toBeUndefined()
  })
})
