// The seeds' variables and flags made into our settings: which are given, where two of them disagree, what they add up to.
import { type ReadFile, readVariable } from './environment.ts'
import { type Input, isTree } from './input.ts'
import { formatListen, parseListen } from './listen.ts'
import type { Origin } from './origins.ts'
import type { Problem } from './problems.ts'
import { idleForwarding, placeForwarding } from './seed-forwarding.ts'
import { idleIssuer, placeIssuers } from './seed-issuers.ts'
import { placeProtectedHosts } from './seed-mcpauth.ts'
import type { LaterRow, VariableRow, WorkingRow } from './seed-rows.ts'
import { BadValue } from './seed-values.ts'
import { SEED_FLAGS, VARIABLES } from './seeds.ts'
import type { Environment } from './substitute.ts'

export interface GivenRow {
  readonly row: VariableRow
  /** As the operator wrote it: the variable, its `…_FILE`, or the flag with its dash. */
  readonly name: string
  readonly text: string
}

export function readSeedVariables(
  environment: Environment,
  readFile: ReadFile,
): { given: GivenRow[]; problems: Problem[] } {
  const given: GivenRow[] = []
  const problems: Problem[] = []
  for (const row of VARIABLES) {
    const read = readVariable(row.name, environment, readFile)
    if (read === undefined) continue
    if ('text' in read) given.push({ row, ...read })
    else problems.push(read)
  }
  return { given, problems }
}

export function readSeedFlags(flags: Readonly<Record<string, string>>): GivenRow[] {
  return Object.entries(flags).flatMap(([flag, text]) => {
    const row = SEED_FLAGS.get(flag)
    return row === undefined ? [] : [{ row, name: `-${flag}`, text }]
  })
}

interface Slot {
  readonly value: unknown
  readonly name: string
}
export type Slots = ReadonlyMap<string, Slot>

export interface Applied {
  readonly slots: Slots
  readonly warnings: string[]
  readonly problems: Problem[]
}

/** Writes what the rows of one level (all keys of a file, all variables, or all flags; each over `below`) set into the configuration. */
export function applySeeds(
  given: readonly GivenRow[],
  kind: 'seed' | 'flag',
  input: Input,
  below: Slots = new Map(),
): Applied {
  const told = given.map(({ row, name, text }) => (row.status === 'later' ? tellLater(row, name, text) : {}))
  const slots = new Map<string, Slot>()
  const problems: Problem[] = []
  const warnings: string[] = []
  for (const { row, name, text } of given) {
    if (row.status !== 'works') continue
    const filled = fillSlot(slots, row, name, text)
    if (filled !== undefined) problems.push(filled)
    const warning = row.warn?.(text)
    if (warning !== undefined) warnings.push(warning)
  }
  if (problems.length === 0) placeSlots(slots, kind, input, below)
  return {
    slots,
    warnings: [
      ...told.flatMap(({ warning }) => warning ?? []),
      ...warnings,
      ...idleHeader(slots, input),
      ...idleIssuer(slots),
      ...idleForwarding(slots, input),
    ],
    problems: [...told.flatMap(({ problem }) => problem ?? []), ...problems],
  }
}

function tellLater(row: LaterRow, name: string, text: string): { warning?: string; problem?: Problem } {
  if (row.asIs?.(text)) return {}
  if (row.refuses?.when(text)) {
    const message = `Not available in this version (${row.feature}), and it cannot be ignored: ${row.refuses.because}.`
    return { problem: { place: name, message, remedy: `Take ${name} out.` } }
  }
  return { warning: `${name} is not available in this version and is ignored (${row.feature}).` }
}

function fillSlot(slots: Map<string, Slot>, row: WorkingRow, name: string, text: string): Problem | undefined {
  try {
    const value = row.parse(text)
    const other = slots.get(row.slot)
    if (other !== undefined && JSON.stringify(other.value) !== JSON.stringify(value))
      return { place: `${other.name} and ${name}`, message: 'The two differ.', remedy: 'Set only one of them.' }
    if (value !== undefined) slots.set(row.slot, { value, name })
    return undefined
  } catch (error) {
    if (error instanceof BadValue) return { place: name, message: error.message }
    throw error
  }
}

/** Slots that are no setting by themselves, and what puts them together. */
const PARTS = [
  'listen',
  'url',
  'provider',
  'keycloak',
  'proxy',
  'delegated',
  'jwt',
  'bearer',
  'passthrough',
  'forwarding',
]

function placeSlots(slots: Slots, kind: 'seed' | 'flag', input: Input, below: Slots): void {
  for (const [slot, { value, name }] of slots) {
    if (PARTS.includes(slot.split('.')[0] ?? '') || slot === 'store.folder') continue
    input.set(slot.split('.'), value, { kind, name })
  }
  placeListen(slots, kind, input)
  placeUrl(slots, kind, input)
  placeProvider(slots, kind, input, below)
  placeProxy(slots, kind, input)
  placeDelegated(slots, kind, input, below)
  placeIssuers(slots, kind, input)
  placeForwarding(slots, kind, input)
  placeDoors(slots, kind, input)
  const folder = slots.get('store.folder')
  if (folder === undefined) return
  const origin: Origin = { kind, name: folder.name }
  input.set(['store', 'directory'], folder.value, origin)
  input.set(['store', 'url'], `sqlite:${String(folder.value)}/portcullis.db`, origin)
}

const originOf = (kind: 'seed' | 'flag', slots: readonly (Slot | undefined)[]): Origin => ({
  kind,
  name: slots.flatMap((slot) => slot?.name ?? []).join(', '),
})

function placeListen(slots: Slots, kind: 'seed' | 'flag', input: Input): void {
  const [host, port] = [slots.get('listen.host'), slots.get('listen.port')]
  if (host === undefined && port === undefined) return
  const before = parseListen(String(input.get(['server', 'listen']) ?? '')) ?? { host: '127.0.0.1', port: 4444 }
  const listen = { host: String(host?.value ?? before.host), port: Number(port?.value ?? before.port) }
  input.set(['server', 'listen'], formatListen(listen), originOf(kind, [host, port]))
}

/** The base URL if it is given, else the domain, else the origin of the resource. */
function placeUrl(slots: Slots, kind: 'seed' | 'flag', input: Input): void {
  const [base, domain] = ['base', 'domain'].map((part) => slots.get(`url.${part}`))
  const resource = slots.get('oauth.resource')
  const chosen = base ?? domain ?? resource
  if (chosen === undefined) return
  // Unlike the others the origin of the resource only fills a gap.
  if (chosen === resource && input.get(['server', 'url']) !== undefined) return
  const development = input.get(['server', 'development']) === true
  const text = String(chosen.value)
  const url =
    chosen === domain
      ? `${development ? 'http' : 'https'}://${text}`
      : chosen === resource
        ? new URL(text).origin
        : text
  input.set(['server', 'url'], url, originOf(kind, [chosen]))
  if (chosen === domain) placeProtectedHosts(String(chosen.value), originOf(kind, [chosen]), input)
}

/** Without trust a header is only a name. TRUST_PROXY_AUTH=false takes a file's proxy out, as any variable goes over the file. */
function placeProxy(slots: Slots, kind: 'seed' | 'flag', input: Input): void {
  const [trust, header] = [slots.get('proxy.trust'), slots.get('proxy.userHeader')]
  const path = ['auth', 'proxy']
  const before = input.get(path)
  if (trust !== undefined && (trust.value === false || before === undefined))
    input.set(path, trust.value === true ? {} : undefined, originOf(kind, [trust]))
  if (header !== undefined && input.get(path) !== undefined)
    input.set([...path, 'userHeader'], header.value, originOf(kind, [header]))
}

function idleHeader(slots: Slots, input: Input): string[] {
  const header = slots.get('proxy.userHeader')
  if (header === undefined || input.get(['auth', 'proxy']) !== undefined) return []
  return [`${header.name} names a header that nobody is trusted to set: TRUST_PROXY_AUTH is not true.`]
}

/** ContextForge without its own tokens has nobody to issue any to. */
function placeDoors(slots: Slots, kind: 'seed' | 'flag', input: Input): void {
  const tokens = slots.get('auth.tokens')
  const path = ['doors', 'oauth']
  if (tokens?.value === false && providerSlots(slots).size === 0 && input.get(path) === undefined)
    input.set(path, false, originOf(kind, [tokens]))
}

/** mcpauth: `google` when a client id is given. Takes the place of a provider of that name, and of the one built from `below`. */
function placeProvider(slots: Slots, kind: 'seed' | 'flag', input: Input, below: Slots): void {
  const own = providerSlots(slots)
  const parts = new Map([...providerSlots(below), ...own])
  if (own.size === 0) return
  const provider = providerOf(parts)
  const replaced = [nameOf(provider), ...(parts.size > own.size ? [nameOf(providerOf(providerSlots(below)))] : [])]
  const before = input.get(['identity', 'providers'])
  const others = Array.isArray(before)
    ? before.filter((entry) => !isTree(entry) || !replaced.includes(nameOf(entry)))
    : []
  input.set(['identity', 'providers'], [...others, provider], originOf(kind, [...parts.values()]))
}

const DELEGATED = 'delegated'

/** Solace: sign-in left to another server. Switched off it is taken out again, and nothing is opened in its place. */
function placeDelegated(slots: Slots, kind: 'seed' | 'flag', input: Input, below: Slots): void {
  const own = delegatedSlots(slots)
  const parts = new Map([...delegatedSlots(below), ...own])
  const {
    enabled = true,
    url,
    provider = 'azure',
    userIdClaim,
  } = Object.fromEntries([...parts].map(([slot, { value }]) => [slot.slice(DELEGATED.length + 1), value]))
  // The switch alone says nothing: the server that signs people in has it too.
  if (own.size === 0 || [...parts.keys()].every((slot) => slot === `${DELEGATED}.enabled`)) return
  const before = input.get(['identity', 'providers'])
  const others = Array.isArray(before) ? before.filter((entry) => !isTree(entry) || nameOf(entry) !== DELEGATED) : []
  const claim = userIdClaim === undefined ? {} : { userIdClaim }
  const entry = { id: DELEGATED, type: DELEGATED, url, provider, callback: '/oauth/callback', ...claim }
  const providers = enabled === true ? [...others, entry] : others
  // An empty list would be nobody; none at all is the local accounts of the start.
  if (before === undefined && providers.length === 0) return
  input.set(
    ['identity', 'providers'],
    providers.length === 0 ? undefined : providers,
    originOf(kind, [...own.values()]),
  )
}

const delegatedSlots = (slots: Slots): Slots => new Map([...slots].filter(([slot]) => slot.startsWith(`${DELEGATED}.`)))

/** Local accounts have no id: there is one list of them. */
const nameOf = ({ id, type }: { readonly [key: string]: unknown; id?: unknown; type?: unknown }): unknown => id ?? type

const providerSlots = (slots: Slots): Slots =>
  new Map([...slots].filter(([slot]) => /^(provider|keycloak)\./.test(slot)))

function providerOf(slots: Slots): Record<string, unknown> {
  const part = (name: string): string | undefined => {
    const value = slots.get(name)?.value
    return value === undefined ? undefined : String(value)
  }
  const keycloak = [...slots.keys()].some((slot) => slot.startsWith('keycloak.'))
  const type = part('provider.type') ?? (keycloak ? 'keycloak' : 'google')
  if (type === 'internal') return { type: 'local' }
  const credentials = { clientId: part('provider.clientId'), clientSecret: part('provider.clientSecret') }
  if (type === 'github') return { id: type, type, ...credentials }
  const issuer = type === 'google' ? 'https://accounts.google.com' : keycloakIssuer(part)
  return { id: type, type, issuer, ...credentials }
}

function keycloakIssuer(part: (name: string) => string | undefined): string {
  const protocol = part('keycloak.protocol') ?? 'https'
  const url = `${protocol}://${part('keycloak.host') ?? 'localhost'}:${part('keycloak.port') ?? '8080'}`
  const realm = encodeURIComponent(part('keycloak.realm') ?? 'master')
  // A default port is left out, as the issuer itself writes it; what is no URL is refused by the schema.
  return `${URL.canParse(url) ? new URL(url).origin : url}/realms/${realm}`
}
