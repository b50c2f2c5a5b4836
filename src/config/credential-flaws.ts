// What credentials of servers ask of the ways to knock: whose token would be shown to whom, and whose secret would be found. Pure.
import { passageOf } from '../protocol/passage.ts'
import type { Config } from './schema.ts'
import { isVirtual, type UpstreamConfig } from './servers.ts'
import type { Flaw } from './transport.ts'
import { type WaysConfig, waysAt } from './ways.ts'

type Judged = Pick<Config, 'servers' | 'auth' | 'identity'>
type Found = Omit<Flaw, 'path'> & { readonly key: string }

export function checkCredentials(config: Judged): Flaw[] {
  return config.servers.flatMap((server, index) => {
    if (isVirtual(server)) return []
    const found = [...callerFlaws(server, config), ...subjectFlaws(server, config), ...pathFlaws(server, config)]
    return found.map(({ key, ...told }) => ({ ...told, path: ['servers', index, 'credentials', key] }))
  })
}

/** Made for this, and read by nobody else. */
const BROUGHT = 'x-upstream-authorization'

/** C11: what the gate itself reads, it would send on. */
function callerFlaws({ credentials }: UpstreamConfig, { auth }: Judged): Found[] {
  if (credentials.type !== 'caller') return []
  const header = credentials.header.toLowerCase()
  const isFree = header === BROUGHT || (passageOf(header).kind === 'passes' && header !== auth.header.toLowerCase())
  if (isFree) return []
  const message = 'The gate reads this field itself, and what a caller comes with stays here.'
  return [{ key: 'header', message, remedy: 'Take it away: callers write X-Upstream-Authorization.' }]
}

/** Where nobody wrote whose token endpoint it is, tokens of everybody would be shown to it. */
function subjectFlaws({ credentials, auth: own }: UpstreamConfig, { auth, identity }: Judged): Found[] {
  if (credentials.type !== 'token-exchange' && credentials.type !== 'on-behalf-of') return []
  if (credentials.issuer !== undefined) return []
  const isBrought = credentials.subject === 'presented'
  const count = isBrought
    ? waysAt(auth, own).issuers.length
    : identity.providers.filter((one) => 'issuer' in one).length
  if (count < 2) return []
  const from = isBrought ? 'auth.issuers' : 'identity.providers'
  const message = `There are ${count} ${from}, and tokens of one are not shown to another.`
  return [{ key: 'tokenUrl', message, remedy: 'Write in `issuer` whose token endpoint this is.' }]
}

/** A name at one voucher may be somebody else's at another. Where people log in as themselves, Vault keeps them apart. */
function pathFlaws({ credentials, auth: own }: UpstreamConfig, { auth }: Judged): Found[] {
  if (credentials.type !== 'vault' || 'role' in credentials.login || !credentials.path.includes('{identity}')) return []
  const vouchers = vouchersOf(waysAt(auth, own))
  if (vouchers.length < 2) return []
  const message = `One name is another person’s at each of: ${vouchers.join(', ')}. They would be given one secret.`
  return [{ key: 'path', message, remedy: 'Write {subject}, or let people log in (`login: { role }`).' }]
}

/** Whoever comes with a token of ours is called by our own id of the account. */
const vouchersOf = ({ issuers, proxy, mtls }: WaysConfig): string[] => [
  ...issuers.map(({ issuer }) => issuer),
  ...(proxy === undefined ? [] : ['auth.proxy']),
  ...(mtls === undefined ? [] : ['auth.mtls']),
]
