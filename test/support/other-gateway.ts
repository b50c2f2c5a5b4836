// Another gateway that leaves sign-in to ours (the protocol of Solace's authentication proxy): what it sends and what it reads.
import type { Person, Visit } from './person.ts'

export interface OtherGateway {
  readonly uri: string
  /** The address it sends the browser to. */
  loginUrl(parameters?: Readonly<Record<string, string | undefined>>): string
  /** The person goes through the pages; answers what came back to the callback, or the page where it ended. */
  signIn(person: Person, parameters?: Readonly<Record<string, string | undefined>>): Promise<Returned>
  exchange(code: string, uri?: string): Promise<Response>
}

export interface Returned {
  readonly visit: Visit
  readonly code: string
  readonly state: string | null
  readonly iss: string | null
}

export function otherGateway(server: string, uri: string): OtherGateway {
  const gateway: OtherGateway = {
    uri,
    loginUrl(parameters = {}) {
      const all = { gateway_uri: uri, state: 'state-of-the-gateway', redirect_uri: `${server}/callback`, ...parameters }
      const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
      return `${server}/login?${new URLSearchParams(given)}`
    },
    async signIn(person, parameters) {
      const visit = await person.follow(gateway.loginUrl(parameters), uri)
      const answer = visit.location === undefined ? undefined : new URL(visit.location).searchParams
      return {
        visit,
        code: answer?.get('code') ?? '',
        state: answer?.get('state') ?? null,
        iss: answer?.get('iss') ?? null,
      }
    },
    exchange: (code, of = uri) =>
      fetch(`${server}/gateway-oauth/exchange`, {
        method: 'POST',
        body: new URLSearchParams({ code, gateway_uri: of }),
      }),
  }
  return gateway
}
