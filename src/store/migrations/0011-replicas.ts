// Replicas that others can reach: an address each, good for as long as it is said again.
import type { TextType } from './text.ts'

export const replicas = (text: TextType): string[] => [
  `create table replicas (
    id ${text} primary key,
    address ${text} not null,
    expires_at bigint not null
  )`,
  'create index replicas_by_expiry on replicas (expires_at)',
]
