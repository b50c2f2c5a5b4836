// What of rates and quotas is used, where more than one replica or more than one start counts it.
import type { TextType } from './text.ts'

export const allowances = (text: TextType): string[] => [
  `create table allowances (
    name ${text} primary key,
    level bigint not null,
    granted bigint not null,
    expires_at bigint not null
  )`,
  'create index allowances_by_expires_at on allowances (expires_at)',
]
