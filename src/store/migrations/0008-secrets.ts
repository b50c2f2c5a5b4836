// The vault: sealed secrets, and the keys that wrap their data keys.
import type { TextType } from './text.ts'

export const secrets = (text: TextType): string[] => [
  `create table secrets (
    principal ${text} not null,
    upstream ${text} not null,
    field ${text} not null,
    version bigint not null,
    n bigint not null,
    key_id ${text},
    wrapped_key ${text},
    sealed ${text},
    created_at bigint not null,
    updated_at bigint not null,
    primary key (principal, upstream, field)
  )`,
  'create index secrets_by_n on secrets (n)',
  'create index secrets_by_key_id on secrets (key_id)',
  `create table vault_keys (
    id ${text} primary key,
    canary ${text} not null,
    canary_hash ${text} not null,
    created_at bigint not null
  )`,
  "insert into epochs (name, n) values ('secrets', 0)",
]
