// Text that compares byte for byte, whatever language the database was made in.
export const SQLITE_TEXT = 'text'
export const POSTGRES_TEXT = 'text collate "C"'
export type TextType = typeof SQLITE_TEXT | typeof POSTGRES_TEXT
