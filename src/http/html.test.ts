// HTML made here, and strangers' text in it.
import { describe, expect, it } from 'vitest'
import { type Html, html, shown } from './html.ts'

describe('html', () => {
  it('escapes values, as text and in attributes', () => {
    const hostile = `"><img src=x onerror='alert(1)'>&`
    expect(html`<a title="${hostile}">${hostile}</a>`.markup).toBe(
      '<a title="&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;">&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;</a>',
    )
  })

  it('nests its own markup, lists and nothing', () => {
    expect(html`<ul>${['a', '<'].map((text) => html`<li>${text}</li>`)}${false}${undefined}${7}</ul>`.markup).toBe(
      '<ul><li>a</li><li>&lt;</li>7</ul>',
    )
  })

  it('refuses an object that only looks like markup', () => {
    expect(() => html`${JSON.parse('{"markup":"<script>"}') as Html}`).toThrow(TypeError)
  })
})

describe('shown', () => {
  it.each([
    ['turns direction characters out', 'Cla\u202Eedu', 'Cla edu'],
    ['turns invisible ones out', 'C\u200bl\u2066a\u00ad', 'C l a'],
    ['turns letters without a shape out', '\u3164\u115fC\u2800l\u034fa\uffa0\ufffc', 'C l a'],
    ['keeps one line', 'a\r\nSet-Cookie: b\u2028c\u0000', 'a Set-Cookie: b c'],
    ['keeps towers of accents low', `z${'\u0335'.repeat(50)}`, 'z\u0335\u0335'],
    ['keeps ordinary names of all scripts', 'Añá Ωmega クロード', 'Añá Ωmega クロード'],
    ['makes nothing of nothing', ' \u200b\n\u3164\u2800\ufe0f', ''],
  ])('%s', (_, text, expected) => {
    expect(shown(text)).toBe(expected)
  })

  it('cuts to size, by characters', () => {
    expect([...shown('🙂'.repeat(10_000), 60)]).toHaveLength(60)
    expect(shown('x'.repeat(61), 60)).toBe(`${'x'.repeat(59)}…`)
    expect(shown('x'.repeat(60), 60)).toBe('x'.repeat(60))
  })
})
