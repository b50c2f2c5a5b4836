// The first schema: clients, families, people, keys, revocations, and what expires by itself.
// Times are milliseconds since the epoch, facts are 0 and 1, documents are JSON text: the same in both databases.
import type { TextType } from './text.ts'

export const spine = (text: TextType): string[] => [
  ...epochs(text),
  ...durable(text),
  ...people(text),
  ...ephemeral(text),
  ...INDEXES.map(
    ([table, columns]) => `create index ${table}_by_${columns.join('_')} on ${table} (${columns.join(', ')})`,
  ),
]

/** Counter rows: their lock puts one kind of act in a queue, and their number orders it. */
const epochs = (text: TextType): string[] => [
  `create table epochs (
    name ${text} primary key,
    n bigint not null
  )`,
  "insert into epochs (name, n) values ('revocations', 0), ('administrators', 0), ('keys', 0), ('checks', 0)",
]

const durable = (text: TextType): string[] => [
  `create table clients (
    id ${text} primary key,
    metadata ${text} not null,
    created_at bigint not null,
    used_at bigint
  )`,
  `create table families (
    id ${text} primary key,
    subject ${text} not null,
    client ${text} not null,
    payload ${text} not null,
    expires_at bigint not null
  )`,
  `create table keyring (
    id ${text} primary key,
    key_use ${text} not null,
    material ${text} not null,
    created_at bigint not null,
    active_at bigint not null,
    retire_at bigint
  )`,
  `create table revocations (
    kind ${text} not null,
    value ${text} not null,
    n bigint not null unique,
    revoked_at bigint not null,
    expires_at bigint not null,
    constraint revocations_key primary key (kind, value)
  )`,
  `create table refresh_tokens (
    id_hash ${text} primary key,
    family ${text} not null,
    family_secret ${text} not null,
    payload ${text} not null,
    expires_at bigint not null,
    consumed_at bigint,
    successor_hash ${text}
  )`,
]

const people = (text: TextType): string[] => [
  `create table users (
    id ${text} primary key,
    issuer ${text} not null,
    identity ${text} not null,
    email ${text},
    email_verified integer not null,
    name ${text},
    groups ${text} not null,
    roles ${text} not null,
    teams ${text} not null,
    administrator integer not null,
    disabled integer not null,
    password_hash ${text},
    created_at bigint not null,
    updated_at bigint not null,
    constraint users_identity unique (issuer, identity)
  )`,
  `create table consents (
    subject ${text} not null,
    client ${text} not null,
    resource ${text} not null,
    redirect_uri ${text} not null,
    scopes ${text} not null,
    consented_at bigint not null,
    constraint consents_key primary key (subject, client, resource, redirect_uri)
  )`,
]

const ephemeral = (text: TextType): string[] => [
  `create table artifacts (
    kind ${text} not null,
    id_hash ${text} not null,
    uid ${text},
    family ${text},
    payload ${text} not null,
    consumed_at bigint,
    expires_at bigint,
    constraint artifacts_key primary key (kind, id_hash)
  )`,
  `create table tickets (
    kind ${text} not null,
    id_hash ${text} not null,
    payload ${text} not null,
    expires_at bigint not null,
    constraint tickets_key primary key (kind, id_hash)
  )`,
  `create table marks (
    mark ${text} primary key,
    expires_at bigint not null
  )`,
  `create table counters (
    name ${text} not null,
    window_ms bigint not null,
    hits bigint not null,
    ends_at bigint not null,
    constraint counters_key primary key (name, window_ms)
  )`,
]

/** One a question that is asked often: never a scan where rows pile up. */
const INDEXES = [
  ['clients', ['used_at', 'created_at']],
  ['families', ['expires_at']],
  ['keyring', ['key_use']],
  ['revocations', ['expires_at']],
  ['refresh_tokens', ['family']],
  ['refresh_tokens', ['expires_at']],
  ['users', ['administrator']],
  ['artifacts', ['kind', 'uid']],
  ['artifacts', ['family']],
  ['artifacts', ['expires_at']],
  ['tickets', ['expires_at']],
  ['marks', ['expires_at']],
  ['counters', ['ends_at']],
] as const
