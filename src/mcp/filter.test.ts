// Lists through the same decision as calls.
import { describe, expect, it } from 'vitest'
import { listFilter } from './filter.ts'
import type { ListKind } from './list-forms.ts'

const visible = new Set(['tool:read', 'prompt:hello', 'resource:file:///docs/a', 'resource:file:///docs/{path}'])
const edit = (list: ListKind, era: 'modern' | 'legacy' = 'legacy') =>
  listFilter({
    list,
    era,
    shows: (kind, name) => ({
      effect: visible.has(`${kind}:${name}`) ? 'allow' : 'deny',
      reason: 'test',
      rule: undefined,
    }),
  })
const answer = (result: unknown) => ({ jsonrpc: '2.0', id: 1, result })

describe('what is not callable is not listed', () => {
  it.each<[ListKind, object, object]>([
    [
      'tools',
      { tools: [{ name: 'read', 'x-keep': 1 }, { name: 'write' }] },
      { tools: [{ name: 'read', 'x-keep': 1 }] },
    ],
    ['prompts', { prompts: [{ name: 'bye' }, { name: 'hello' }] }, { prompts: [{ name: 'hello' }] }],
    [
      'resources',
      { resources: [{ uri: 'file:///docs/a' }, { uri: 'file:///etc' }] },
      { resources: [{ uri: 'file:///docs/a' }] },
    ],
    [
      'resourceTemplates',
      { resourceTemplates: [{ uriTemplate: 'file:///docs/{path}' }, { uriTemplate: 'file:///{path}' }] },
      { resourceTemplates: [{ uriTemplate: 'file:///docs/{path}' }] },
    ],
  ])('%s', (list, result, expected) => {
    expect(edit(list)(answer({ ...result, nextCursor: 'c' }))).toEqual(answer({ ...expected, nextCursor: 'c' }))
  })

  it('marks the list as private', () => {
    const result = { tools: [{ name: 'read' }], ttlMs: 5, cacheScope: 'public' }
    expect(edit('tools', 'modern')(answer(result))).toEqual(answer({ ...result, cacheScope: 'private' }))
    expect(edit('tools', 'modern')(answer({ tools: [] }))).toEqual(answer({ tools: [], cacheScope: 'private' }))
    expect(edit('tools')(answer(result))).toEqual(answer({ ...result, cacheScope: 'private' }))
    expect(edit('tools')(answer({ tools: [] }))).toEqual(answer({ tools: [] }))
  })

  it('passes an error', () => {
    const error = { jsonrpc: '2.0', id: 1, error: { code: -1, message: 'no' } }
    expect(edit('tools')(error)).toEqual(error)
  })

  it.each([
    [undefined],
    [[]],
    ['x'],
    [{ jsonrpc: '2.0', id: 1 }],
    [answer('x')],
    [answer({})],
    [answer({ tools: { 0: { name: 'write' } } })],
    [answer({ Tools: [{ name: 'write' }] })],
    [{ error: 'x' }],
  ])('does not let pass what it cannot filter: %j', (message) => {
    expect(edit('tools')(message)).toBeUndefined()
  })

  it('drops entries that have no name to decide on', () => {
    expect(edit('tools')(answer({ tools: [{ name: ['read'] }, null, 'read', { Name: 'read' }] }))).toEqual(
      answer({ tools: [] }),
    )
  })
})
