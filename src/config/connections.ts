// People connect accounts of their own in a browser: whoever calls such a server has to be able to come there as the same person.
import { isConnected } from './credentials.ts'
import type { Config } from './schema.ts'
import { isVirtual, type UpstreamConfig } from './servers.ts'
import type { Flaw } from './transport.ts'
import { waysAt } from './ways.ts'

type Judged = Pick<Config, 'servers' | 'identity' | 'auth'>

const isConnectable = (server: Config['servers'][number]): server is UpstreamConfig =>
  !isVirtual(server) && isConnected(server.credentials)

/** Without a way to sign in nobody ever connects anything. */
export function checkConnectable({ servers, identity }: Pick<Judged, 'servers' | 'identity'>): Flaw[] {
  if (identity.providers.length > 0) return []
  return servers.flatMap((server, index) =>
    isConnectable(server)
      ? [
          {
            path: ['servers', index, 'credentials', 'type'],
            message: 'People connect accounts of their own to it in a browser, and nobody can sign in in one.',
            remedy: 'Name a provider in identity.providers.',
          },
        ]
      : [],
  )
}

/** Ways to call it under a name that no sign-in has. */
export function connectionWarnings({ servers, identity, auth }: Judged): string[] {
  const known = new Set(identity.providers.map((provider) => ('issuer' in provider ? provider.issuer : undefined)))
  return servers.filter(isConnectable).flatMap((server) => {
    const { issuers, proxy, mtls } = waysAt(auth, server.auth)
    const strange = [
      ...issuers.filter(({ issuer }) => !known.has(issuer)).map(({ issuer }) => `with tokens of ${issuer}`),
      ...(proxy === undefined ? [] : ['through auth.proxy']),
      ...(mtls === undefined ? [] : ['with a certificate']),
    ]
    if (strange.length === 0) return []
    return [
      `servers.${server.id}.credentials: callers who come ${strange.join(', or ')} cannot connect an account of theirs, since whoever signs in in a browser is known by another name. Name the same issuer in identity.providers, and let people call this server with its tokens or ours.`,
    ]
  })
}
