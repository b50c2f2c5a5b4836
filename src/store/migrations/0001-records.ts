// The first schema of the audit record: on SQLite a file of its own, on PostgreSQL a table beside the others.
import type { TextType } from './text.ts'

export const records = (text: TextType): string[] => [
  `create table records (
    id ${text} primary key,
    line ${text} not null
  )`,
]
