// API tokens: what they may do, how long, and keyed hashes of their secrets.
import type { TextType } from './text.ts'

export const apiTokens = (text: TextType): string[] => [
  `create table api_tokens (
    id ${text} primary key,
    name ${text} not null,
    description ${text},
    kind ${text} not null,
    owner ${text} not null,
    created_by ${text} not null,
    mask ${text} not null,
    secret_hash ${text} not null,
    previous_hash ${text},
    previous_until bigint,
    scopes ${text},
    reach ${text},
    team ${text},
    conditions ${text} not null,
    created_at bigint not null,
    issued_at bigint not null,
    expires_at bigint not null,
    last_used_at bigint,
    revoked_at bigint,
    revoked_by ${text},
    revoked_reason ${text},
    rotate_every bigint,
    rotate_at bigint,
    expiry_announced_at bigint,
    rotation_announced_at bigint
  )`,
  // The name of a token that was revoked is free again.
  'create unique index api_tokens_name on api_tokens (owner, name) where revoked_at is null',
  'create unique index api_tokens_secret on api_tokens (secret_hash)',
  'create unique index api_tokens_previous on api_tokens (previous_hash) where previous_hash is not null',
  'create index api_tokens_by_expires_at on api_tokens (expires_at)',
  'create index api_tokens_by_created_at on api_tokens (created_at, id)',
  'create index api_tokens_by_previous_until on api_tokens (previous_until) where previous_until is not null',
  'create index api_tokens_by_rotate_at on api_tokens (rotate_at) where rotate_at is not null',
  "insert into epochs (name, n) values ('api_tokens', 0)",
]
