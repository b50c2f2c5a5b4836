// ContextForge's variables for header passthrough and identity propagation, put together: switches that its other variables hang on, a list
// of its own, and its words for who calls.
import { IDENTITY_ATTRIBUTES, type IdentityAttribute } from '../protocol/identity-headers.ts'
import { type Input, isTree } from './input.ts'
import { BadValue, parseList } from './seed-values.ts'

type Slot = { readonly value: unknown; readonly name: string }
type Slots = ReadonlyMap<string, Slot>
type Kind = 'seed' | 'flag'

/** What ContextForge lets through where nothing is said. */
const ITS_LIST = ['X-Tenant-Id', 'X-Trace-Id']

export function placeForwarding(slots: Slots, kind: Kind, input: Input): void {
  placeSwitch(slots, kind, input)
  placeList(slots, kind, input)
  const overwrite = slots.get('passthrough.overwrite')
  if (overwrite !== undefined) input.set(['passthrough', 'overwrite'], overwrite.value, { kind, name: overwrite.name })
  placeIdentity(slots, kind, input)
}

const ENABLED = ['passthrough', 'enabled']
const HEADERS = ['passthrough', 'headers']

/** There the list alone lets nothing through. */
function placeSwitch(slots: Slots, kind: Kind, input: Input): void {
  const [enabled, headers] = [slots.get('passthrough.enabled'), slots.get('passthrough.headers')]
  if (enabled !== undefined) input.set(ENABLED, enabled.value, { kind, name: enabled.name })
  else if (headers !== undefined && input.get(ENABLED) === undefined)
    input.set(ENABLED, false, { kind, name: headers.name })
}

/** The list that administrators have set is the file's here: `db` prefers it, `merge` adds to it. */
function placeList(slots: Slots, kind: Kind, input: Input): void {
  const [enabled, headers] = [slots.get('passthrough.enabled'), slots.get('passthrough.headers')]
  const source = slots.get('passthrough.source')?.value
  const before = input.get(HEADERS)
  if (headers !== undefined && (before === undefined || source === undefined || source === 'env'))
    input.set(HEADERS, headers.value, { kind, name: headers.name })
  else if (headers !== undefined && source === 'merge' && Array.isArray(before) && Array.isArray(headers.value))
    input.set(HEADERS, [...new Set([...before, ...headers.value])], { kind, name: headers.name })
  else if (enabled?.value === true && before === undefined) input.set(HEADERS, ITS_LIST, { kind, name: enabled.name })
}

function placeIdentity(slots: Slots, kind: Kind, input: Input): void {
  const enabled = slots.get('forwarding.enabled')
  if (enabled === undefined) return
  const at = (part: string) => slots.get(`forwarding.${part}`)?.value
  const before = input.get(['identityForwarding'])
  const mode = at('mode') ?? 'both'
  const told = {
    form: 'contextforge',
    headers: mode !== 'meta',
    meta: mode !== 'headers',
    ...given({ jwt: at('sign'), headerPrefix: at('prefix'), attributes: at('attributes') }),
  }
  const value = enabled.value === true ? told : { headers: false, jwt: false, meta: false }
  const names = [...slots].flatMap(([slot, { name }]) => (slot.startsWith('forwarding.') ? [name] : []))
  const merged = { ...(isTree(before) ? before : {}), ...value }
  input.set(['identityForwarding'], merged, { kind, name: names.join(', ') })
}

const given = (values: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

/** Set, and without effect for want of a switch. */
export function idleForwarding(slots: Slots, input: Input): string[] {
  const list = slots.get('passthrough.headers')
  const isClosed = list !== undefined && input.get(ENABLED) === false
  const idle = slots.has('forwarding.enabled')
    ? []
    : [...slots].flatMap(([slot, { name }]) => (slot.startsWith('forwarding.') ? [name] : []))
  return [
    ...(isClosed
      ? [`${list.name} lets no header through: ENABLE_HEADER_PASSTHROUGH (passthrough.enabled) is not true.`]
      : []),
    ...(idle.length > 0 ? [`${idle.join(', ')} without effect: IDENTITY_PROPAGATION_ENABLED is not true.`] : []),
  ]
}

const oneOf =
  (...words: readonly string[]) =>
  (text: string): string => {
    const word = text.trim().toLowerCase()
    if (!words.includes(word)) throw new BadValue(`Write one of ${words.join(', ')}.`)
    return word
  }
export const parseSource = oneOf('db', 'env', 'merge')
export const parseMode = oneOf('headers', 'meta', 'both')

/** Attributes in its words. */
export const ITS_WORDS: Readonly<Record<string, readonly IdentityAttribute[]>> = {
  id: ['id'],
  user_id: ['id'],
  // Who has an address is called by it.
  email: ['email', 'user'],
  name: ['name'],
  full_name: ['name'],
  groups: ['groups'],
  teams: ['teams'],
  roles: ['roles'],
  auth_method: ['method'],
  scopes: ['scopes'],
  client_id: ['client'],
}

/** Attributes that are left when these are taken out. Of what nobody is told here anyway there is nothing to take out. */
export function parseSensitive(text: string): readonly IdentityAttribute[] | undefined {
  const names = parseList(text)
  if (!Array.isArray(names)) throw new BadValue('Write a list of attributes.')
  const out = names.flatMap((name) => ITS_WORDS[String(name).toLowerCase()] ?? [])
  return out.length === 0 ? undefined : IDENTITY_ATTRIBUTES.filter((attribute) => !out.includes(attribute))
}
