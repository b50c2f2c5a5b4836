// Which tools may be used, by what their definitions want repeated in the head: MCP 2026-07-28, Transports (schema extension, SEP-2243).
import { describe, expect, it } from 'vitest'
import { mirrorsAsAllowed } from './mirrored-arguments.ts'

const tool = (properties: object) => ({ name: 'x', inputSchema: { type: 'object', properties } })
const field = (name: unknown, type: unknown = 'string') => ({ type, 'x-mcp-header': name })

describe('a definition', () => {
  it.each([
    ['wants nothing repeated', tool({ a: { type: 'object' } })],
    ['has no schema', { name: 'x' }],
    ['repeats primitives', tool({ a: field('A'), b: field('B', 'integer'), c: field('C', 'boolean') })],
    ['repeats what is further in', tool({ a: { type: 'object', properties: { b: field('B') } } })],
    ['has an argument of the keyword’s name', tool({ 'x-mcp-header': { type: 'string' } })],
  ])('that %s is good', (_, definition) => {
    expect(mirrorsAsAllowed(definition)).toBe(true)
  })

  it.each([
    ['no name', tool({ a: field('') })],
    ['a name that is none', tool({ a: field(7) })],
    ['a space', tool({ a: field('My Region') })],
    ['a colon', tool({ a: field('Region:Primary') })],
    ['another alphabet', tool({ a: field('Région') })],
    ['a control character', tool({ a: field('Region\t1') })],
    ['an object', tool({ a: field('A', 'object') })],
    ['a number', tool({ a: field('A', 'number') })],
    ['no type', tool({ a: { 'x-mcp-header': 'A' } })],
    ['one name twice', tool({ a: field('A'), b: field('A') })],
    [
      'one name in two cases of letters',
      tool({ a: field('MyField'), b: { type: 'object', properties: { c: field('myfield') } } }),
    ],
  ])('with %s is not', (_, definition) => {
    expect(mirrorsAsAllowed(definition)).toBe(false)
  })
})
