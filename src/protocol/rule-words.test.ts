import { describe, expect, it } from 'vitest'
import { MEMBER, methodFlaw, SUBJECT, TARGET } from './rule-words.ts'

describe('targets', () => {
  it.each([
    'a/*',
    '*/*',
    'a/x_*',
    'prompt:a/p',
    'resource:a/file:///b',
    'method:a/logging/*',
    'tool:8443/x',
    'tools/x',
  ])('%s is one', (text) => {
    expect(TARGET.test(text)).toBe(true)
  })
  it.each(['a', 'a/', '/b', 'a/b c', '', 'tool:a/b', 'Tools:*/b', 'prompts:a/b', 'Prompt:a/b', 'prompt:tool:a/b'])(
    '%j is none',
    (text) => {
      expect(TARGET.test(text)).toBe(false)
    },
  )
})

describe('subjects', () => {
  it.each(['*', 'anonymous', 'user:ann@example.com', 'group:a b', 'client:x'])('%s is one', (text) => {
    expect(SUBJECT.test(text)).toBe(true)
  })
  it.each(['user:*', 'group:ext-*', 'user:', 'ann', 'org:x', 'group:a\nb'])('%j is none', (text) => {
    expect(SUBJECT.test(text)).toBe(false)
  })
  it('are members of a role when they are people, groups or teams', () => {
    expect(['group:a', 'team:b', 'user:c@example.com'].every((text) => MEMBER.test(text))).toBe(true)
    expect(['role:a', 'client:b', '*', 'user:*', 'user:'].some((text) => MEMBER.test(text))).toBe(false)
  })
})

describe('methodFlaw', () => {
  it('is told where a method seems to reach calls and does not', () => {
    expect(methodFlaw('method:a/tools/call', 'deny')).toContain('tools/call')
    expect(methodFlaw('method:a/tools/call', 'allow')).toContain('a/NAME')
    expect(methodFlaw('method:a/*', 'deny')).toContain('a/* for the whole server')
    expect(methodFlaw('method:a/prompts/*', 'deny')).toContain('prompts/get')
  })
  it('is told where a method is open, or goes by what it names', () => {
    expect(methodFlaw('method:a/ping', 'deny')).toContain('a/*')
    expect(methodFlaw('method:a/completion/complete', 'allow')).toContain('prompt:a/NAME')
  })
  it('is none where it means what it says', () => {
    expect(methodFlaw('method:a/*', 'allow')).toBeUndefined()
    expect(methodFlaw('method:a/logging/setLevel', 'deny')).toBeUndefined()
    expect(methodFlaw('a/tools_call', 'deny')).toBeUndefined()
  })
})
