// A service that asks the gate for decisions (AuthZEN Authorization API 1.0), with the token of a service.
import { registerClient } from './client.ts'
import type { TestGateway } from './gateway.ts'
import type { Person } from './person.ts'

export interface DecisionAnswer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests read members that the assertion itself checks.
  readonly body: any
}

export interface Decisions {
  evaluation(body: unknown, headers?: Record<string, string>): Promise<DecisionAnswer>
  evaluations(body: unknown, headers?: Record<string, string>): Promise<DecisionAnswer>
}

export const PATH = '/access/v1'

export function decisionsAs({ url }: { readonly url: string }, credential: Record<string, string>): Decisions {
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}): Promise<DecisionAnswer> => {
    const response = await fetch(`${url}${PATH}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...credential, ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
  return {
    evaluation: (body, headers) => post('evaluation', body, headers),
    evaluations: (body, headers) => post('evaluations', body, headers),
  }
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** An access token for the decisions, that this person allowed a client to have. */
export async function decisionToken(
  gateway: TestGateway,
  person: Person,
  scope = 'portcullis:decide',
): Promise<string> {
  const client = await registerClient(gateway)
  return (await client.signIn(person, { resource: `${gateway.url}${PATH}`, scope })).accessToken
}
