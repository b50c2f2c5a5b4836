// Where state lives.
import { z } from 'zod'

export const store = z.strictObject({
  url: z
    .string()
    .regex(/^(sqlite:|postgres(ql)?:\/\/)/, 'Write sqlite:PATH or postgres://…')
    .default('sqlite:./data/portcullis.db')
    .meta({ secret: 'url', description: '`sqlite:PATH` (relative to the configuration file) or `postgres://…`.' }),
  directory: z.string().default('./data').describe('Folder for the audit record beside SQLite, and for spools.'),
})
export type StoreConfig = z.output<typeof store>
