// A link to connect an account, opened when its person may not see the server any more: it is no key that was kept. Beside it stand those
// who may, also where the rules let them in by another door than the server's own.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import type { Person, Visit } from '../support/person.ts'
import { startTokenGuarded, type TokenGuarded } from '../support/token-guarded.ts'

const SECRET = 'secret of whoever pastes it'

let notes: TokenGuarded
let gateway: TestGateway
let ann: Person
let bob: Person

beforeEach(async () => {
  notes = await startTokenGuarded({ [SECRET]: 'somebody at notes' })
  gateway = await startGateway({
    servers: [
      { id: 'notes', url: notes.url, credentials: { type: 'secret' } },
      { id: 'desk', tools: ['notes/whoami'] },
    ],
    policy: {
      rules: [
        {
          allow: ['notes/*'],
          to: ['group:engineering'],
          when: "has(principal.client) && principal.method == 'access_token'",
        },
        { allow: ['desk/*'], to: ['group:finance'] },
      ],
    },
  })
  ann = await gateway.person('ann')
  bob = await gateway.person('bob')
})
afterEach(async () => {
  await gateway.close()
  await notes.close()
})

const at = (path: string) => gateway.url + path
async function linkOf(person: Person, server: string): Promise<string> {
  const { body } = await callTool(gateway.resource(server), await gateway.tokenFor(server, { user: person }), 'whoami')
  const { content } = body['result'] as { content: { text: string }[] }
  return /http\S+/.exec(content[0]?.text ?? '')?.[0] ?? ''
}
async function leaves(identity: string): Promise<void> {
  const { users } = gateway.store.durable
  const known = await users.findByIdentity('local', identity)
  if (known === undefined) throw new Error(`There is no ${identity}.`)
  await users.upsertByIdentity({ ...known, groups: [] })
  gateway.clock.advance('1m')
}
const same = ({ html }: Visit) => html.replace(/<code>[^<]*<\/code>/, '')

describe('a link', () => {
  it('opens nothing for whoever may not see the server any more, and is a page like that of none', async () => {
    const link = await linkOf(ann, 'notes')
    const shown = await ann.follow(link)
    expect(shown.status).toBe(200)
    await leaves('ann')
    const [gone, nowhere] = [await ann.open(link), await ann.open(at('/connections/connect?server=nowhere'))]
    expect([gone.status, nowhere.status]).toEqual([404, 404])
    expect(same(gone)).toBe(same(nowhere))
    const posted = await ann.submit(shown, /^connect$/i, { secret: SECRET })
    expect(posted.status).toBe(404)
  })

  it('opens for whom the rules know by client and token, which the browser does not show', async () => {
    const shown = await ann.follow(await linkOf(ann, 'notes'))
    expect((await ann.submit(shown, /^connect$/i, { secret: SECRET })).html).toContain('Connected')
  })

  it('opens for who sees the server through a virtual one alone, as long as they do', async () => {
    const [link, later] = [await linkOf(bob, 'desk'), await linkOf(bob, 'desk')]
    const shown = await bob.follow(link)
    expect((await bob.submit(shown, /^connect$/i, { secret: SECRET })).html).toContain('Connected')
    expect((await bob.open(later)).status).toBe(200)
    await leaves('bob')
    expect((await bob.open(later)).status).toBe(404)
  })
})
