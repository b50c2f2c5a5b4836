// The lists of MCP, each a row: how it is asked for, what it holds, and which notification says that it is another now.
// MCP 2025-11-25 and 2026-07-28, Tools, Prompts, Resources.
import type { TargetKind } from '../protocol/decision.ts'

/** By the member that holds their entries. */
export const LIST_KINDS = ['tools', 'prompts', 'resources', 'resourceTemplates'] as const
export type ListKind = (typeof LIST_KINDS)[number]

interface ListForm {
  readonly method: string
  /** Member that tells the entries apart. */
  readonly key: 'name' | 'uri' | 'uriTemplate'
  /** What policy is asked about for each entry. */
  readonly target: TargetKind
  readonly capability: ChangedList
}

/** Templates are of the resources: one capability, and one word for a change of either. */
export type ChangedList = 'tools' | 'prompts' | 'resources'
export const CHANGED_LISTS: readonly ChangedList[] = ['tools', 'prompts', 'resources']

export const LIST_FORMS: Readonly<Record<ListKind, ListForm>> = {
  tools: { method: 'tools/list', key: 'name', target: 'tool', capability: 'tools' },
  prompts: { method: 'prompts/list', key: 'name', target: 'prompt', capability: 'prompts' },
  resources: { method: 'resources/list', key: 'uri', target: 'resource', capability: 'resources' },
  resourceTemplates: {
    method: 'resources/templates/list',
    key: 'uriTemplate',
    target: 'resource',
    capability: 'resources',
  },
}

const LISTS: ReadonlyMap<string, ListKind> = new Map(LIST_KINDS.map((kind) => [LIST_FORMS[kind].method, kind]))
const CHANGES: ReadonlyMap<string, ChangedList> = new Map(CHANGED_LISTS.map((list) => [listChange(list), list]))

/** `undefined`: the method asks for no list. */
export const listOf = (method: string): ListKind | undefined => LISTS.get(method)

export function listChange(list: ChangedList): string {
  return `notifications/${list}/list_changed`
}

/** `undefined`: the method tells of no list. */
export const listChanged = (method: string): ChangedList | undefined => CHANGES.get(method)

/** MCP 2026-07-28, Subscriptions: the member of a listening filter that asks for it. */
export const listFlag = (list: ChangedList): string => `${list}ListChanged`
