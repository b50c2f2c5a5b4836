// Calls with a secret of each person's own, at the server's own address and at that of all: what is disconnected is used no more from then
// on, what is pasted in its place is used at once, and nobody else notices.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AccountServer, startAccountServer, type Whose } from '../support/account-servers.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'

let notes: AccountServer
let gateway: TestGateway
beforeAll(async () => {
  notes = await startAccountServer('modern')
  gateway = await startGateway({
    servers: [{ id: 'notes', url: notes.url, credentials: { type: 'secret' } }],
    policy: { rules: [{ allow: ['*/*', 'method:*/*'], to: ['*'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await notes?.close()
})

const PLACES: readonly (readonly [place: string, tool: string])[] = [
  ['notes', 'whose'],
  ['*', 'notes__whose'],
]

async function caller({ username }: typeof ANN, [place, tool]: readonly [string, string]) {
  const person = await gateway.person(username)
  const token = await gateway.tokenFor(place, { user: person })
  return {
    async call(): Promise<Partial<Whose> & { readonly refused?: string }> {
      const { body } = await callTool(gateway.resource(place), token, tool, { nonce: username })
      const { content, isError } = body['result'] as { content: readonly { text: string }[]; isError?: boolean }
      const said = content[0]?.text ?? ''
      return isError ? { refused: said } : (JSON.parse(said) as Whose)
    },
    async paste(secret: string) {
      const page = await person.follow(`${gateway.url}/connections/connect?server=notes`)
      expect((await person.submit(page, /^connect$/i, { secret })).html).toContain('Connected')
    },
    async disconnect() {
      const page = await person.open(`${gateway.url}/connections`)
      expect((await person.submit(page, /^disconnect$/i)).status).toBe(200)
    },
  }
}

describe.each(PLACES)('at %s', (...place) => {
  it('each call has the account that its person has at that moment, or brings the way to connect one', async () => {
    const [ann, bob] = [await caller(ANN, place), await caller(BOB, place)]
    await ann.paste('ann-1')
    await bob.paste('bob-1')
    expect(await ann.call()).toMatchObject({ account: 'ann-1', nonce: ANN.username })
    expect(await bob.call()).toMatchObject({ account: 'bob-1', nonce: BOB.username })

    await ann.disconnect()
    const before = notes.calls()
    expect((await ann.call()).refused).toContain('/tokens?elicitation_id=')
    expect(notes.calls()).toBe(before)
    expect(await bob.call()).toMatchObject({ account: 'bob-1' })

    await ann.paste('ann-2')
    expect(await ann.call()).toMatchObject({ account: 'ann-2' })
    const both = await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? ann : bob).call()))
    expect(both.map(({ account }) => account)).toEqual(both.map((_, at) => (at % 2 === 0 ? 'ann-2' : 'bob-1')))
  })
})
