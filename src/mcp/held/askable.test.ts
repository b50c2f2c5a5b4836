import { expect, it } from 'vitest'
import { askable, isAskable } from './askable.ts'

it('keeps what can be asked, in one form', () => {
  const one = askable({ sampling: { tools: {}, context: {} }, roots: { listChanged: true }, elicitation: {} })
  const other = askable({ elicitation: {}, roots: {}, sampling: { tools: { x: 1 } } })
  expect(one).toEqual({ elicitation: {}, roots: {}, sampling: { tools: {} } })
  expect(JSON.stringify(one)).toBe(JSON.stringify(other))
  expect(askable({ elicitation: { url: {}, form: {} } })).toEqual({ elicitation: { form: {}, url: {} } })
})

it('leaves out what nobody is asked by, and what is no declaration', () => {
  expect(isAskable(askable({ tasks: {}, experimental: { x: {} }, sampling: true, roots: null }))).toBe(false)
  expect(isAskable(askable({ roots: {} }))).toBe(true)
})
