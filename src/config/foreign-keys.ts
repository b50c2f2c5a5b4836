// Keys of other systems' configuration files that work as they are: taken out of the file, and read like those systems' variables.
// Where they stood is in every message about them.
import { type Input, isTree } from './input.ts'
import { pathText } from './origins.ts'
import { type Problem, placeOf } from './problems.ts'
import { findSeedKey } from './seed-keys.ts'
import { type LaterRow, type Owner, SOLACE, type VariableRow } from './seed-rows.ts'
import type { GivenRow } from './seed-settings.ts'
import { parseList, parsePort, parseUserIdClaim, parseWord, parseYesNo, signInStaysOn } from './seed-values.ts'
import { findNearest } from './suggest.ts'
import { readBoolean } from './text-value.ts'

/** `preset`: what that system takes where its section is there and the key is not. */
export type ForeignKey = VariableRow & { readonly preset?: string }

const is = (wanted: boolean) => (text: string) => readBoolean(text) === wanted
const later = (row: Omit<LaterRow, 'status' | 'systems' | 'owner'> & { owner?: Owner }): ForeignKey => ({
  status: 'later',
  systems: SOLACE,
  owner: 'never',
  ...row,
})
const works = (
  name: string,
  slot: string,
  parse: (text: string) => unknown,
  shown: {
    example: string
    gives: unknown
    setting?: string
    preset?: string
    warn?: (text: string) => string | undefined
  },
): ForeignKey => ({ status: 'works', name, systems: SOLACE, slot, setting: slot, parse, ...shown })
const CALLBACK = 'http://localhost:8090/oauth/callback'
const DELEGATED = { type: 'delegated', url: 'http://localhost:8080' }
const PROVIDERS = 'identity.providers'

export const FOREIGN_KEYS: readonly ForeignKey[] = [
  works('proxy_oauth.enabled', 'oauth.gatewayCallbacks.enabled', parseYesNo, { example: 'true', gives: true }),
  works('proxy_oauth.allowed_redirect_uris', 'oauth.gatewayCallbacks.allowedRedirectUris', parseList, {
    example: `["${CALLBACK}"]`,
    gives: [CALLBACK],
  }),
  works('proxy_oauth.gateway_code_ttl_seconds', 'oauth.gatewayCallbacks.codeTtl', parseWord, {
    example: '120',
    gives: 120_000,
  }),
  works('proxy_oauth.strict_uri_validation', 'oauth.gatewayCallbacks.strict', parseYesNo, {
    preset: 'false',
    example: 'false',
    gives: false,
  }),
  works('session.timeout', 'identity.sessionTtl', parseWord, { example: '3600', gives: 3_600_000 }),
  works('development_mode', 'server.development', parseYesNo, { example: 'true', gives: true }),
  works('adapter_config.enable_auth', 'delegated.enabled', parseYesNo, {
    setting: PROVIDERS,
    preset: 'false',
    warn: signInStaysOn('adapter_config.enable_auth'),
    example: 'true',
    gives: { ...DELEGATED, provider: 'azure', callback: '/oauth/callback' },
  }),
  works('adapter_config.external_auth_service_url', 'delegated.url', parseWord, {
    setting: PROVIDERS,
    example: 'http://localhost:8080',
    gives: DELEGATED,
  }),
  works('adapter_config.external_auth_provider', 'delegated.provider', parseWord, {
    setting: PROVIDERS,
    preset: 'azure',
    example: 'google',
    gives: { ...DELEGATED, provider: 'google' },
  }),
  works('adapter_config.user_id_claim', 'delegated.userIdClaim', parseUserIdClaim, {
    setting: PROVIDERS,
    example: 'email',
    gives: { ...DELEGATED, userIdClaim: 'email' },
  }),
  works('adapter_config.host', 'listen.host', parseWord, {
    setting: 'server.listen',
    example: '0.0.0.0',
    gives: '0.0.0.0:4444',
  }),
  works('adapter_config.port', 'listen.port', parsePort, {
    setting: 'server.listen',
    example: '8090',
    gives: '127.0.0.1:8090',
  }),
  works('adapter_config.mcp_server_name', 'oauth.resourceName', parseWord, { example: 'Mesh', gives: 'Mesh' }),
  works('adapter_config.dev_mode', 'server.development', parseYesNo, { example: 'true', gives: true }),
  later({
    name: 'enabled',
    feature: 'an authorization server that is switched off',
    asIs: is(true),
    refuses: { when: (text) => !is(true)(text), because: 'sign-in is always on; doors.oauth: false closes it' },
    example: 'false',
  }),
  later({
    name: 'adapter_config.transport',
    feature: 'stdio towards clients',
    asIs: (text) => text === 'http',
    refuses: { when: (text) => text !== 'http', because: 'there is no sign-in over it' },
    example: 'stdio',
  }),
  later({
    name: 'adapter_config.require_pkce',
    feature: 'PKCE is always required',
    asIs: is(true),
    refuses: { when: (text) => !is(true)(text), because: 'clients without PKCE are refused' },
    example: 'false',
  }),
  ...['include_tools', 'exclude_tools'].map((name) =>
    later({
      name: `adapter_config.${name}`,
      feature: 'lists of tools; write policy.rules',
      refuses: { when: () => true, because: 'other tools would be open; write policy.rules' },
      example: '["search"]',
    }),
  ),
  ...Object.entries({
    default_user_identity: ['callers without a sign-in', 'mcp_user'],
    session_secret_key: ['keys from the file; ours are made and kept in the store', 'a-key-of-some-length'],
    oauth_state_ttl_seconds: ['another time for a sign-in; it is ten minutes', '300'],
    task_timeout_seconds: ['time limits of calls', '300'],
  }).map(([name, [feature = '', example = '']]) => later({ name: `adapter_config.${name}`, feature, example })),
]

const sectionOf = (name: string): string => name.split('.', 1)[0] ?? ''
const SECTIONS = [...new Set(FOREIGN_KEYS.map(({ name }) => sectionOf(name)))]

/** Takes every such key out of the file. `given` is for applySeeds. */
export function takeForeignKeys(input: Input): { given: GivenRow[]; problems: Problem[] } {
  const found = SECTIONS.filter((section) => Object.hasOwn(input.tree, section)).map((section) => {
    const value = input.take(section)
    const rows = FOREIGN_KEYS.filter(({ name }) => sectionOf(name) === section)
    if (rows.some(({ name }) => name === section)) return readKeys({ [section]: value }, rows, input)
    if (isTree(value))
      return readKeys(
        Object.fromEntries(Object.entries(value).map(([key, one]) => [`${section}.${key}`, one])),
        rows,
        input,
      )
    const known = rows.map(({ name }) => name.slice(section.length + 1)).join(', ')
    return { given: [], problems: [problem(section, input, `It holds settings: ${known}.`)] }
  })
  return { given: found.flatMap(({ given }) => given), problems: found.flatMap(({ problems }) => problems) }
}

function readKeys(values: Readonly<Record<string, unknown>>, rows: readonly ForeignKey[], input: Input) {
  const given: GivenRow[] = []
  const problems: Problem[] = []
  for (const name of Object.keys(values))
    if (!rows.some((row) => row.name === name)) problems.push(stray(name, rows, input))
  for (const row of rows) {
    const { name } = row
    const own = row.status === 'works' ? input.get(row.setting.split('.')) : undefined
    if (!Object.hasOwn(values, name)) {
      // What another system would take must not stand against what our own setting says.
      if (row.preset !== undefined && own === undefined) given.push({ row, name, text: row.preset })
      continue
    }
    const text = textOf(values[name])
    if (text === undefined) problems.push(problem(name, input, 'This cannot be read here.'))
    else if (own !== undefined && row.status === 'works' && row.setting !== PROVIDERS)
      problems.push(problem(name, input, `${row.setting} says the same: keep only one of them.`))
    else given.push({ row, name: `${placeOf(input.find(name.split('.')))} ${name}`, text })
  }
  return { given, problems }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  const isPlain = typeof value === 'number' || typeof value === 'boolean' || Array.isArray(value)
  return isPlain ? JSON.stringify(value) : undefined
}

const problem = (name: string, input: Input, message: string): Problem => ({
  place: placeOf(input.find(name.split('.'))),
  setting: pathText(name.split('.')),
  message,
})

function stray(name: string, rows: readonly ForeignKey[], input: Input): Problem {
  const path = name.split('.')
  const pointer = findSeedKey(path)
  if (pointer !== undefined)
    return { ...problem(name, input, `${name} is not available in this version (${pointer}).`), remedy: 'Take it out.' }
  const known = rows.map((row) => row.name)
  const nearest = findNearest(name, known)
  const remedy = nearest === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean ${nearest}?`
  return { ...problem(name, input, `There is no setting ${JSON.stringify(path.at(-1))} here.`), remedy }
}
