// URI templates of rules, and the one-pass matcher against a backtracking one.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileTemplate, isTemplate, templateFlaw } from './uri-template.ts'

describe('compileTemplate', () => {
  it.each([
    ['file:///home/{user}/notes', 'file:///home/ann/notes', { user: 'ann' }],
    ['file:///home/{user}/notes', 'file:///home/a/b/notes', undefined],
    ['file:///home/{user}/notes', 'file:///home//notes', undefined],
    ['file:///{+path}', 'file:///a/b?c#d', { path: 'a/b?c#d' }],
    ['file:///{+path}', 'file:///', { path: '' }],
    ['note://{id}/*', 'note://a/b/c', { id: 'a' }],
    ['x:{a}-{b}.{c}', 'x:1-2-3.4.5', { a: '1', b: '2-3', c: '4.5' }],
    ['x:{a}-{b}', 'x:-1', undefined],
    ['x:{name}.md', 'x:a.md.md', { name: 'a.md' }],
    ['x:{a}/{b}', 'x:1/2/3', undefined],
    ['x:{a}?q={b}', 'x:1?q=2', { a: '1', b: '2' }],
    ['x:{a}', 'x:1?q=2', undefined],
    ['x:{a}', 'x:{a}', { a: '{a}' }],
    ['x:{__proto__}', 'x:1', JSON.parse('{"__proto__":"1"}')],
  ])('%s on %s', (template, uri, params) => {
    expect(templateFlaw(template)).toBeUndefined()
    expect(compileTemplate(template).params(uri)).toEqual(params)
  })

  it('answers as a backtracking matcher would', () => {
    const literal = fc.stringMatching(/^[ab./-]{1,3}$/)
    const template = fc
      .tuple(
        fc.array(fc.tuple(literal, fc.constantFrom('x', 'y')), { maxLength: 3 }),
        literal,
        fc.constantFrom('', '{+rest}', '*'),
      )
      .map(([parts, last, tail]) => parts.map(([text], at) => `${text}{v${at}}`).join('') + last + tail)
    fc.assert(
      fc.property(template, fc.stringMatching(/^[ab./-]{0,12}$/), (source, uri) => {
        fc.pre(templateFlaw(source) === undefined)
        const pattern = source
          .replace(/[.\-/]/g, '\\$&')
          .replace(/\{\+rest\}|\*$/, '[^]*')
          .replace(/\{v\d\}/g, '[^/?#]+')
        expect(compileTemplate(source).matches(uri)).toBe(new RegExp(`^${pattern}$`).test(uri))
      }),
      { numRuns: 5000 },
    )
  })

  it('covers another pattern where it matches all that the other does', () => {
    const covers = (one: string, other: string) => compileTemplate(one).covers(other)
    expect(covers('x:/{a}', 'x:/{b}')).toBe(true)
    expect(covers('x:/{a}', 'x:/1')).toBe(true)
    expect(covers('x:/{a}', 'x:/*')).toBe(false)
    expect(covers('x:/{a}', 'x:/1*')).toBe(false)
    expect(covers('x:/{a}', 'x:/{+b}')).toBe(false)
    expect(covers('x:/{+a}', 'x:/*')).toBe(true)
    expect(covers('x:/{+a}', 'x:/{b}/{+c}')).toBe(true)
  })
})

describe('templateFlaw', () => {
  it.each([
    'x:{',
    'x:}',
    'x:{}',
    'x:{?q}',
    'x:{/a}',
    'x:{a*}',
    'x:{a,b}',
    'x:{a}{b}',
    'x:{+a}/b',
    'x:*/{a}',
    'x:{a}/{a}',
    'x:{1}',
  ])('refuses %s', (text) => {
    expect(isTemplate(text)).toBe(true)
    expect(templateFlaw(text)).toBeDefined()
  })
})
