// A secret of each person's in HashiCorp Vault: a login as the person (JWT auth method), kept for a while, and one read.
import { readFile } from 'node:fs/promises'
import type { CredentialsOf } from '../../config/credentials.ts'
import { isRecord, parseRecord } from '../../protocol/json.ts'
import type { Principal } from '../../protocol/principal.ts'
import { type Fetched, fetchWith, shown } from '../authorization-server/fetch.ts'
import type { TokenNeeds } from '../authorization-server/token-endpoint.ts'
import type { Caller } from '../caller.ts'
import { type Credential, CredentialFailed } from '../credential.ts'
import { type Had, hadFor, heldEach } from '../held.ts'
import type { Given } from '../upstream.ts'
import { personOf } from './person.ts'
import type { PresentedToken } from './presented.ts'

export interface VaultNeeds extends TokenNeeds {
  readonly presented: PresentedToken
  /** Our own signed word for who a caller is, for one audience. */
  assertion(principal: Principal, audience: string): string
}

type Config = CredentialsOf<'vault'>

/** Beyond it a secret could not stand in a header. */
const SENDABLE = /^[\t\x20-\x7e\x80-\xff]+$/

/** `name`: what the server is called in claims and headers. */
export function hashicorpVault(name: string, config: Config, needs: VaultNeeds): Credential {
  const { clock, fetches } = needs
  const { login, field, header, prefix, cache } = config
  const base = config.url.replace(/\/+$/, '')
  const namespace = config.namespace === undefined ? {} : { 'x-vault-namespace': config.namespace }

  async function ask(path: string, headers: Record<string, string>, body?: object): Promise<Fetched> {
    const answer = await fetchWith(fetches.configured, `${base}/v1/${path}`, 'Vault', {
      headers: { ...namespace, ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (answer.status === 200 || answer.status === 404) return answer
    throw new CredentialFailed('vault_refused', `Vault ${shown(base)} answers ${answer.status}.`, {
      passing: answer.status === 429 || answer.status >= 500,
    })
  }

  async function logIn(caller: Caller, at: { readonly role: string; readonly mount: string; readonly with: string }) {
    const jwt = at.with === 'presented' ? needs.presented(caller) : needs.assertion(caller.principal, base)
    const answer = await ask(`auth/${at.mount}/login`, {}, { role: at.role, jwt })
    const { auth } = parseRecord(answer.body.toString()) ?? {}
    const { client_token: token, lease_duration: lease } = isRecord(auth) ? auth : {}
    if (answer.status === 404 || typeof token !== 'string')
      throw new CredentialFailed('vault_refused', `The login at ${shown(base)} gave no token.`)
    const now = clock()
    const life = Math.min(typeof lease === 'number' && lease > 0 ? lease * 1000 : cache, cache)
    return hadFor(token, life, now)
  }

  const logins = heldEach<string>(needs)
  const loginOf = (caller: Caller) => logins(caller.principal.subject)

  async function tokenOf(caller: Caller): Promise<string> {
    if ('token' in login) return login.token
    if ('tokenFile' in login) return readTokenFile(login.tokenFile)
    return loginOf(caller).get(() => logIn(caller, login))
  }

  /** Revoked there while it counted here, it is had anew once. */
  async function readSecret(caller: Caller): Promise<Fetched> {
    const path = pathFor(config.path, caller.principal, name)
    const token = await tokenOf(caller)
    try {
      return await ask(path, { 'x-vault-token': token })
    } catch (error) {
      const again = 'role' in login ? await loginOf(caller).replace(token, () => logIn(caller, login)) : undefined
      if (again === undefined || !(error instanceof CredentialFailed) || error.step !== 'vault_refused') throw error
      return ask(path, { 'x-vault-token': again })
    }
  }

  async function read(caller: Caller): Promise<Had<Given>> {
    const answer = await readSecret(caller)
    const secret = answer.status === 404 ? undefined : fieldOf(answer.body, field)
    if (secret === undefined)
      throw new CredentialFailed('secret_missing', 'Vault holds no such secret for this person.')
    if (!SENDABLE.test(secret)) throw new CredentialFailed('secret_unusable', 'The secret cannot stand in a header.')
    const now = clock()
    return {
      value: { headers: { [header.toLowerCase()]: prefix + secret } },
      renewAt: now + cache * 0.9,
      endsAt: now + cache,
    }
  }

  const secrets = heldEach<Given>(needs)

  return {
    personal: true,
    given(caller) {
      const person = personOf(caller)
      return secrets(person.principal.subject).get(() => read(person))
    },
    async renewed(caller, given) {
      const person = personOf(caller)
      const again = await secrets(person.principal.subject).replace(given, () => read(person))
      const same = again?.headers[header.toLowerCase()] === given.headers[header.toLowerCase()]
      return same ? undefined : again
    },
  }
}

async function readTokenFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (cause) {
    throw new CredentialFailed('vault_token_missing', `The file ${path} with the token for Vault cannot be read.`, {
      cause,
    })
  }
}

const WORDS: Readonly<Record<string, (principal: Principal, server: string) => string | undefined>> = {
  subject: ({ subject }) => subject,
  email: ({ email }) => email,
  identity: ({ identity }) => identity,
}

/** Whoever chooses a name must not choose the place that is read: what could lead elsewhere is refused, the rest is encoded. */
export function pathFor(template: string, principal: Principal, server: string): string {
  return template
    .split('/')
    .map((segment) =>
      segment.replace(/\{(\w+)\}|[^{}]+/g, (written, word: string | undefined) => {
        if (word === undefined) return encodeURIComponent(written)
        if (word === 'server') return server.split('/').map(encodeURIComponent).join('/')
        return encodeURIComponent(checkName(WORDS[word]?.(principal, server)))
      }),
    )
    .join('/')
}

function checkName(name: string | undefined): string {
  if (name === undefined || name === '' || /^\.{1,2}$|[/\\%?#\p{Cc}]/u.test(name) || !name.isWellFormed())
    throw new CredentialFailed('name_unusable', 'This person has no name that a path in Vault can hold.')
  return name
}

/** Version 2 of the key-value engine has the data one level deeper. */
function fieldOf(body: Buffer, field: string): string | undefined {
  const { data } = parseRecord(body.toString()) ?? {}
  const inner = isRecord(data) && isRecord(data['data']) ? data['data'] : data
  const value = isRecord(inner) && Object.hasOwn(inner, field) ? inner[field] : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}
