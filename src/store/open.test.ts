// Which addresses name a store.
import { describe, expect, it } from 'vitest'
import { OperatorError } from '../protocol/errors.ts'
import { openStore } from './open.ts'

describe('openStore', () => {
  it('opens a store in memory', async () => {
    const store = await openStore({ url: 'sqlite::memory:', directory: '/nowhere' })
    await expect(store.check()).resolves.toBeUndefined()
    await store.close()
  })

  it.each(['postgresql://ann:hidden@127.0.0.1:1/db', 'postgres://ann:hidden@127.0.0.1:1/db'])(
    'takes %s for PostgreSQL',
    async (url) => {
      await expect(openStore({ url, directory: '' })).rejects.toThrow('PostgreSQL at 127.0.0.1:1 cannot be reached')
    },
  )

  it.each(['mysql://ann:hidden@host/db', 'portcullis.db', ''])('refuses %j without repeating it', async (url) => {
    const failure = await openStore({ url, directory: '' }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(OperatorError)
    expect(String(failure)).not.toContain('hidden')
  })
})
