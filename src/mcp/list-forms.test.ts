import { expect, it } from 'vitest'
import { CHANGED_LISTS, LIST_FORMS, LIST_KINDS, listChange, listChanged, listFlag, listOf } from './list-forms.ts'

it('finds a list by the method that asks for it, and no other', () => {
  expect(LIST_KINDS.map((kind) => listOf(LIST_FORMS[kind].method))).toEqual(LIST_KINDS)
  expect(['tools/call', 'resources/read', 'tools', ''].map(listOf)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})

// MCP 2025-11-25: there is no notification about templates.
it('finds a list by the notification that it has changed, and no other', () => {
  expect(CHANGED_LISTS.map((list) => listChanged(listChange(list)))).toEqual(CHANGED_LISTS)
  expect(listChanged('notifications/tools/list_changed')).toBe('tools')
  expect(listChanged('notifications/resourceTemplates/list_changed')).toBeUndefined()
  expect(listChanged('notifications/resources/updated')).toBeUndefined()
})

it('names the members of a listening filter as MCP 2026-07-28 does', () => {
  expect(CHANGED_LISTS.map(listFlag)).toEqual(['toolsListChanged', 'promptsListChanged', 'resourcesListChanged'])
})
