// Text that compares byte for byte, whatever language the database was made in.
import { sql } from 'kysely'

export const SQLITE_TEXT = 'text'
export const POSTGRES_TEXT = sql<string>`text collate "C"`
export type TextType = typeof SQLITE_TEXT | typeof POSTGRES_TEXT
