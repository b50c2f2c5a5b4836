// What a start says of other authorization servers: settings that work, and do less than their writer may think.
import type { Config } from './schema.ts'

type Judged = Pick<Config, 'aggregate' | 'auth' | 'oauth' | 'servers' | 'identity'>

export function issuerWarnings({ aggregate, auth, oauth, servers, identity }: Judged): string[] {
  const listed = new Set(auth.issuers.map(({ issuer }) => issuer))
  const unlisted = oauth.authorizationServers.filter((issuer) => !listed.has(issuer))
  const open = auth.issuers.filter(
    ({ type, allowedEmails }) => type === 'google' && (allowedEmails ?? identity.allowedEmails).length === 0,
  )
  return [
    ...unlisted.map(
      (issuer) =>
        `oauth.authorizationServers names ${issuer} to clients, and its tokens do not count: list it in auth.issuers, letter by letter.`,
    ),
    ...open.map(
      ({ issuer }) =>
        `auth.issuers: ${issuer} knows everybody, and allowedEmails is empty: anyone with an account there may call. List who may, such as *@example.com.`,
    ),
    ...(oauth.resource === undefined || servers.length === 1 || (aggregate.enabled && servers.length > 0)
      ? []
      : [
          `oauth.resource (OAUTH_RESOURCE) is the identity of /mcp, which is not there: ${servers.length === 0 ? 'no server is configured' : 'aggregate.enabled is false, and there is more than one server. Each is at /servers/ID/mcp'}.`,
        ]),
  ]
}
