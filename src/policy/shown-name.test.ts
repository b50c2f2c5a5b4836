import { describe, expect, it } from 'vitest'
import { Config } from '../config/schema.ts'
import { behindName, findView, shownName } from './shown-name.ts'

const { servers } = Config.parse({
  servers: [
    { id: 'github', url: 'http://127.0.0.1:1/mcp' },
    { id: 'gitlab', url: 'http://127.0.0.1:2/mcp' },
    {
      id: 'desk',
      tools: ['github/search_*', { from: 'github/search_code', name: 'find' }, '*/list'],
      prompts: ['github/greet'],
    },
  ],
})
const view = findView(servers, 'desk')
if (view === undefined) throw new TypeError('there is no view')
const tool = (server: string, name: string) => ({ server, kind: 'tool', name }) as const

describe('names in a virtual server', () => {
  it('are those of its picks, the ones that name a thing first', () => {
    expect(shownName(view, tool('github', 'search_issues'))).toBe('search_issues')
    expect(shownName(view, tool('github', 'search_code'))).toBe('find')
    expect(shownName(view, tool('github', 'delete'))).toBeUndefined()
    expect(shownName(view, { server: 'github', kind: 'prompt', name: 'greet' })).toBe('greet')
  })

  it('lead back to what they may be', () => {
    expect(behindName(view, { kind: 'tool', name: 'find' }, servers)).toEqual([tool('github', 'search_code')])
    expect(behindName(view, { kind: 'tool', name: 'search_code' }, servers)).toEqual([])
    expect(behindName(view, { kind: 'tool', name: 'list' }, servers)).toHaveLength(2)
  })

  it('are of virtual servers only', () => {
    expect(findView(servers, 'github')).toBeUndefined()
  })
})
