// Parameters of an authorization server's endpoints, RFC 6749 §3.1 and §3.2: each once, those we know, nothing read in two ways.
import { errors } from 'oidc-provider'
import type { Exchange } from '../http/exchange.ts'
import { type Form, parseForm, readForm } from '../http/form.ts'
import { RequestError } from '../protocol/errors.ts'
import { withLowerCaseOrigin } from '../protocol/resource.ts'

const AUTHORIZATION = [
  ...['response_type', 'response_mode', 'client_id', 'redirect_uri', 'scope', 'state', 'resource', 'prompt'],
  ...['code_challenge', 'code_challenge_method', 'login_hint', 'ui_locales', 'request', 'request_uri', 'registration'],
]
/** OpenID Connect Core §3.1.2.1: they mean something only where an ID token was asked for. */
const OPENID = ['nonce', 'max_age']
const CLIENT = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']
const LOGIN = ['gateway_uri', 'redirect_uri', 'state', 'provider']
export const TOKEN = [
  ...CLIENT,
  'grant_type',
  'code',
  'redirect_uri',
  'code_verifier',
  'refresh_token',
  'scope',
  'resource',
]
export const HANDLE = [...CLIENT, 'token', 'token_type_hint']

/** Query and form of an authorization request; both may carry parameters, none may come twice (RFC 6749 §3.1). */
export async function readAuthorizationRequest(exchange: Exchange, timeout: number): Promise<Form> {
  const query = parse(() => parseForm(Buffer.from(exchange.query)))
  const form = exchange.req.method === 'POST' ? await readPosted(exchange, timeout) : new Map<string, string>()
  for (const name of form.keys()) if (query.has(name)) throw new errors.InvalidRequest(`${name} must not come twice`)
  const all = keep(new Map([...query, ...form]), [...AUTHORIZATION, ...OPENID])
  const isOpenid = /(?:^| )openid(?: |$)/.test(all.get('scope') ?? '')
  const kept = new Map([...all].filter(([name]) => isOpenid || !OPENID.includes(name)))
  checkSize(kept)
  return kept
}

/** Where another gateway sends the browser: the same rules, parameters of its own. */
export function readLogin({ query }: Exchange): Form {
  const kept = keep(
    parse(() => parseForm(Buffer.from(query))),
    LOGIN,
  )
  checkSize(kept)
  return kept
}

/** Bytes that a stranger may leave with us: the request is stored until somebody answers it. */
const LONGEST_STATE = 2048
const LARGEST_REQUEST = 4096

function checkSize(form: Form): void {
  if (Buffer.byteLength(form.get('state') ?? '') > LONGEST_STATE) throw new errors.InvalidRequest('state is too long')
  const size = [...form].reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value), 0)
  if (size > LARGEST_REQUEST) throw new errors.InvalidRequest('the request is too long')
}

/** RFC 6749 §2.3.1 and §3.2: these endpoints are posted to, and no parameter of theirs belongs in a URL, where logs would keep it. */
export async function readPostedRequest(exchange: Exchange, known: readonly string[], timeout: number): Promise<Form> {
  if (exchange.query !== '') throw new errors.InvalidRequest('parameters must be in the body')
  return keep(await readPosted(exchange, timeout), known)
}

async function readPosted(exchange: Exchange, timeout: number): Promise<Form> {
  try {
    return await readForm(exchange, timeout)
  } catch (error) {
    throw asInvalidRequest(error)
  }
}

function parse(work: () => Form): Form {
  try {
    return work()
  } catch (error) {
    throw asInvalidRequest(error)
  }
}

/** What is wrong with the form itself is `invalid_request`; too large and too slow keep their status. */
function asInvalidRequest(error: unknown): unknown {
  if (!(error instanceof RequestError) || error.status === 413 || error.status === 408) return error
  if (error.reason === 'form_duplicate') return new errors.InvalidRequest('a parameter must not come twice')
  return new errors.InvalidRequest('the parameters must be one application/x-www-form-urlencoded form')
}

function keep(form: Form, known: readonly string[]): Form {
  // `scope[]=a`: an array to some readers, unknown to others.
  for (const name of form.keys())
    if (name.includes('[')) throw new errors.InvalidRequest('a parameter must not be a list')
  // RFC 6749 §3.1: sent without a value counts as omitted; unrecognised ones are ignored.
  const kept = [...form].filter(([name, value]) => known.includes(name) && value !== '')
  return new Map(kept.map(([name, value]) => [name, name === 'resource' ? withLowerCaseOrigin(value) : value]))
}

export const serialise = (form: Form): string => new URLSearchParams([...form]).toString()
