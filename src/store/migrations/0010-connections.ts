// People's accounts at servers behind us, with the lease on the exchange of their refresh tokens; our registrations there.
import type { TextType } from './text.ts'

export const connections = (text: TextType): string[] => [
  `create table connections (
    principal ${text} not null,
    server ${text} not null,
    kind ${text} not null,
    state ${text} not null,
    scopes ${text} not null,
    asked ${text} not null,
    wanted ${text} not null,
    issuer ${text},
    connected_at bigint not null,
    used_at bigint,
    version bigint not null,
    fence bigint not null,
    held_until bigint,
    unfinished bigint not null,
    primary key (principal, server)
  )`,
  `create table upstream_clients (
    server ${text} not null,
    issuer ${text} not null,
    redirect_uri ${text} not null,
    client_id ${text} not null,
    auth_method ${text} not null,
    secret_expires_at bigint,
    created_at bigint not null,
    primary key (server, issuer, redirect_uri)
  )`,
]
