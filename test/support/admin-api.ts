// The administration's API as a script uses it: fetch, JSON, one credential.
import { registerClient } from './client.ts'
import type { TestGateway } from './gateway.ts'
import type { Person } from './person.ts'

export interface ApiAnswer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests read members that the assertion itself checks.
  readonly body: any
}

export interface AdminApi {
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer>
  /** Creates a token, or throws with the refusal. */
  token(asked: Record<string, unknown>): Promise<{ id: string; secret: string; token: ApiAnswer['body'] }>
}

export const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
export const bearer = (token: string): string => `Bearer ${token}`

/** `authorization`: the whole field; none is sent without it. */
export function adminApi({ url }: { readonly url: string }, authorization?: string): AdminApi {
  const api: AdminApi = {
    async send(method, path, body, headers = {}) {
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: {
          ...(authorization !== undefined && { authorization }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
    },
    async token(asked) {
      const { status, body } = await api.send('POST', '/tokens', asked)
      if (status !== 201) throw new Error(`Creating a token answered ${status}: ${JSON.stringify(body)}`)
      return { id: body.token.id, secret: body.secret, token: body.token }
    },
  }
  return api
}

/** A person who allowed a client to use the administration in their name. */
export async function adminApiOf(
  gateway: TestGateway,
  person: Person,
  scope = 'portcullis:tokens',
): Promise<AdminApi & { readonly accessToken: string }> {
  const client = await registerClient(gateway)
  const { accessToken } = await client.signIn(person, { resource: `${gateway.url}/api/v1`, scope })
  return Object.assign(adminApi(gateway, bearer(accessToken)), { accessToken })
}
