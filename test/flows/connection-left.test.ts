// An account at a server that has left the configuration: its owner still sees it, and takes their secret back.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Served, serve } from '../support/cli.ts'
import { createPerson } from '../support/person.ts'
import { startTokenGuarded, type TokenGuarded } from '../support/token-guarded.ts'

const PEOPLE = ['ann', 'bob'].map((username) => ({ username, password: `the password of ${username}` }))
const OTHER = { id: 'other', url: 'http://127.0.0.1:9/mcp', credentials: { type: 'secret' as const } }

let notes: TokenGuarded
let served: Served
beforeAll(async () => {
  notes = await startTokenGuarded({ 'secret-of-ann-1': 'ann', 'secret-of-bob-1': 'bob' })
  served = await serve(
    {
      servers: [{ ...OTHER, id: 'notes', title: 'Team notes', url: notes.url }, OTHER],
      policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
    },
    PEOPLE,
  )
})
afterAll(async () => {
  await served?.close()
  await notes?.close()
})

/** Whose secrets of the server are in the vault. */
function held(): number {
  const database = new DatabaseSync(join(served.folder, 'data', 'portcullis.db'), { readOnly: true })
  try {
    return database.prepare("SELECT * FROM secrets WHERE upstream = 'notes' AND sealed IS NOT NULL").all().length
  } finally {
    database.close()
  }
}

describe('an account at a server that is gone', () => {
  it('is shown as such, is connected no more, and can be taken back by its owner alone', async () => {
    const [ann, bob] = PEOPLE.map((person) => createPerson(person))
    if (ann === undefined || bob === undefined) throw new TypeError('Two people.')
    for (const person of [ann, bob]) {
      const page = await person.follow(`${served.url}/connections/connect?server=notes`)
      const done = await person.submit(page, /^connect$/i, { secret: `secret-of-${person.username}-1` })
      expect([done.status, done.html.includes('Connected')]).toEqual([200, true])
    }
    expect(held()).toBe(2)
    const before = await ann.open(`${served.url}/connections`)
    expect(before.html).toContain('Team notes')
    expect(before.html).not.toContain('The server is gone')

    const config = JSON.parse(readFileSync(served.configFile, 'utf8')) as object
    writeFileSync(served.configFile, JSON.stringify({ ...config, servers: [OTHER] }))
    await served.says(/configuration is in force/)
    const after = await ann.open(`${served.url}/connections`)
    expect(after.html).toContain('The server is gone')
    expect(after.html).not.toContain('Reconnect')
    expect(after.html).not.toContain('connect?server=notes')
    const left = await ann.submit(after, /^disconnect$/i)
    expect([left.status, left.html.includes('notes')]).toEqual([200, false])
    expect(held()).toBe(1)
    expect((await bob.open(`${served.url}/connections`)).html).toContain('The server is gone')

    // Nor is there any other that wants one.
    const plain = { id: 'plain', url: OTHER.url, credentials: { type: 'none' } }
    writeFileSync(served.configFile, JSON.stringify({ ...config, servers: [plain] }))
    const pageOf = async (server: string) =>
      (await bob.open(`${served.url}/connections/connect?server=${server}`)).status
    await expect.poll(() => pageOf('other')).toBe(404)
    const last = await bob.submit(await bob.open(`${served.url}/connections`), /^disconnect$/i)
    expect([last.status, last.html.includes('no server here that needs')]).toEqual([200, true])
    expect(held()).toBe(0)
    expect(await pageOf('plain')).toBe(404)
  })
})
