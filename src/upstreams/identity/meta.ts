// Who calls, in `_meta` of a message (MCP 2026-07-28 and 2025-11-25, General fields): for servers that see no head, such as child processes.
// What a caller has written under the same names is taken out first.
import type { ToldIdentity } from '../../config/identity-told.ts'
import { delegationOf, type IdentityAttribute, organisationsOf } from '../../protocol/identity-headers.ts'
import { isRecord } from '../../protocol/json.ts'
import type { RpcMessage } from '../../protocol/jsonrpc.ts'
import { REQUEST_META } from '../../protocol/mcp.ts'
import type { Principal } from '../../protocol/principal.ts'
import { CONTEXTFORGE_METHODS } from './headers.ts'

export const IDENTITY_KEY = 'io.portcullis/identity'

/** What becomes of a message's `_meta` on the way to one server. */
export interface ToldMeta {
  /** Keys that are ours alone, in small letters: some servers read keys in any case. */
  readonly reserved: ReadonlySet<string>
  /** Put in their place. */
  readonly members: Readonly<Record<string, unknown>>
  /** The same as JSON, without braces; empty where nothing is told. */
  readonly text: string
}

const RESERVED: ReadonlySet<string> = new Set([IDENTITY_KEY])
/** ContextForge's own key is nobody's but where its form is spoken. */
const RESERVED_CONTEXTFORGE: ReadonlySet<string> = new Set([IDENTITY_KEY, 'user'])

const metaOf = (reserved: ReadonlySet<string>, members: Readonly<Record<string, unknown>>): ToldMeta =>
  Object.freeze({ reserved, members: Object.freeze(members), text: JSON.stringify(members).slice(1, -1) })

/** For servers that are told nothing in the message: a forged identity goes to none of them. */
export const UNTOLD: ToldMeta = metaOf(RESERVED, {})
const UNTOLD_CONTEXTFORGE: ToldMeta = metaOf(RESERVED_CONTEXTFORGE, {})

export const untoldIn = ({ form }: Pick<ToldIdentity, 'form'>): ToldMeta =>
  form === 'contextforge' ? UNTOLD_CONTEXTFORGE : UNTOLD

/** `assertion`: where the server is told with one. */
export function identityMeta(principal: Principal, told: ToldIdentity, assertion: string | undefined): ToldMeta {
  const attributes = told.attributes.map((attribute) => memberOf(principal, attribute))
  const actors = delegationOf(principal).slice(0, -1)
  const identity = Object.assign(
    {},
    ...attributes,
    actors.length > 0 && { actors },
    assertion !== undefined && { assertion },
  )
  if (told.form !== 'contextforge') return metaOf(RESERVED, { [IDENTITY_KEY]: identity })
  return metaOf(RESERVED_CONTEXTFORGE, { [IDENTITY_KEY]: identity, user: contextForgeUser(principal, told) })
}

function memberOf(principal: Principal, attribute: IdentityAttribute): object {
  const { kind, subject, email, name, client, groups, roles, teams, scopes, method } = principal
  const somebody = kind !== 'anonymous'
  switch (attribute) {
    case 'user':
      return somebody ? { user: email ?? subject } : {}
    case 'id':
      return somebody ? { id: subject } : {}
    case 'email':
      return email === undefined ? {} : { email }
    case 'name':
      return name === undefined ? {} : { name }
    case 'groups':
      return { groups }
    case 'roles':
      return { roles }
    case 'teams':
      return { teams }
    case 'organisation': {
      const organisations = organisationsOf(principal)
      return organisations.length === 0 ? {} : { organisations }
    }
    case 'scopes':
      return { scopes }
    case 'method':
      return { method }
    case 'client':
      return client === undefined ? {} : { client }
  }
}

function contextForgeUser(principal: Principal, { attributes }: ToldIdentity): object {
  const { kind, subject, email, groups, roles, teams, method } = principal
  const tells = (attribute: IdentityAttribute) => attributes.includes(attribute)
  const chain = delegationOf(principal)
  return {
    ...(tells('id') && kind !== 'anonymous' && { id: subject }),
    ...(tells('email') && email !== undefined && { email }),
    ...(tells('groups') && { groups }),
    ...(tells('teams') && { teams }),
    ...(tells('roles') && { roles }),
    ...(tells('method') && { auth_method: CONTEXTFORGE_METHODS[method] }),
    ...(kind === 'service' && { service_account: true }),
    ...(chain.length > 0 && { delegation_chain: chain.join('>') }),
  }
}

/** Whether a caller has written anything under our names. */
export function isForged(meta: unknown, { reserved }: ToldMeta): boolean {
  if (!isRecord(meta)) return false
  for (const key in meta) if (!REQUEST_META.has(key) && reserved.has(key.toLowerCase())) return true
  return false
}

/** The message as the server gets it. Answers the same object where nothing is told and nothing was forged. */
export function toldMessage<Message extends RpcMessage>(message: Message, told: ToldMeta): Message {
  if (!('method' in message)) return message
  const { params } = message
  const meta = params?.['_meta']
  // A notification tells of a call that the server knows whose it is.
  const text = 'id' in message ? told.text : ''
  if (text === '' && !isForged(meta, told)) return message
  const own = isRecord(meta) ? Object.entries(meta).filter(([key]) => !told.reserved.has(key.toLowerCase())) : []
  const members = text === '' ? {} : told.members
  return { ...message, params: { ...params, _meta: { ...Object.fromEntries(own), ...members } } }
}
