// Sessions of clients at several servers at once, and their legs.
import type { TextType } from './text.ts'

export const clientSessions = (text: TextType): string[] => [
  `create table client_sessions (
    id ${text} primary key,
    subject ${text} not null,
    hello ${text} not null,
    log_level ${text},
    created_at bigint not null,
    used_at bigint not null,
    expires_at bigint not null
  )`,
  `create table session_legs (
    session ${text} not null,
    server ${text} not null,
    sealed_id ${text} not null,
    revision ${text} not null,
    capabilities ${text} not null,
    expires_at bigint not null,
    constraint session_legs_key primary key (session, server)
  )`,
  'create index client_sessions_by_subject on client_sessions (subject, used_at)',
  'create index client_sessions_by_expires_at on client_sessions (expires_at)',
  'create index session_legs_by_expires_at on session_legs (expires_at)',
]
