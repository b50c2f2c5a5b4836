// Servers that list for each person what is theirs, by the credential that comes or by who the gate says that calls: what one of them is
// shown never reaches another, at no address. Two people, and one who is asked for nobody.
import { setTimeout as delay } from 'node:timers/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bearer, decisionsAs, decisionToken } from '../support/authzen.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, request } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'
import { type PersonalServer, startPersonalServer } from '../support/personal-server.ts'
import type { Mode } from '../support/sdk.ts'

let servers: readonly PersonalServer[]
let gateway: TestGateway
const people = new Map<string, { at: Record<string, string>; headers: Record<string, string> }>()

beforeAll(async () => {
  servers = await Promise.all([
    startPersonalServer(),
    startPersonalServer(),
    startPersonalServer(),
    startPersonalServer(),
  ])
  const [mine, told, all, strict] = servers.map(({ url }) => url)
  gateway = await startGateway({
    servers: [
      { id: 'mine', url: mine ?? '', credentials: { type: 'caller' } },
      { id: 'told', url: told ?? '', lists: 'personal' },
      { id: 'all', url: all ?? '' },
      { id: 'strict', url: strict ?? '', lists: 'personal', pin: 'quarantine' },
      { id: 'view', tools: ['mine/*', 'told/*'] },
    ],
    policy: {
      rules: [
        { allow: ['mine/*', 'all/*', 'strict/*', 'resource:*/*', 'method:*/*'], to: ['*'] },
        { allow: ['told/of_*', 'view/*'], to: ['*'] },
        { allow: ['told/shared'], to: ['*'], when: 'tool.annotations.readOnlyHint == true' },
      ],
    },
  })
  for (const user of [ANN, BOB]) {
    const at = Object.fromEntries(
      await Promise.all(
        ['*', 'view', 'told', 'strict'].map(async (id) => [id, await gateway.tokenFor(id, { user })] as const),
      ),
    )
    people.set(user.username, { at, headers: { 'x-upstream-authorization': `Bearer of-${user.username}` } })
  }
  // Whose the pins of the strict one are.
  await listed('ann')
})
afterAll(async () => {
  await gateway?.close()
  for (const server of servers ?? []) await server.close()
})
const open: Client[] = []
afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
})

type Who = 'ann' | 'bob'
const OTHER = { ann: 'bob', bob: 'ann' } as const
const of = (who: Who) => people.get(who) ?? expect.fail()
const place = (address: string) => gateway.resource(address)

interface Listed {
  readonly result?: { readonly tools: readonly { readonly name: string; readonly description?: string }[] }
}
async function listed(who: Who, address = '*'): Promise<Listed> {
  const { at, headers } = of(who)
  return (await request(place(address), at[address], 'tools/list', {}, headers)).body as Listed
}
const namesFor = async (who: Who, address = '*') => (await listed(who, address)).result?.tools.map(({ name }) => name)
const call = async (who: Who, name: string, address = '*') => {
  const { at, headers } = of(who)
  return JSON.stringify((await callTool(place(address), at[address], name, {}, headers)).body)
}

async function connect(who: Who, mode: Mode, address = '*') {
  const { at, headers } = of(who)
  const client = new Client({ name: who, version: '1' }, { versionNegotiation: { mode } })
  const heard: string[] = []
  client.fallbackNotificationHandler = async ({ method }) => void heard.push(method)
  const requestInit = { headers: { ...headers, authorization: `Bearer ${at[address]}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(place(address)), { requestInit }))
  open.push(client)
  return { client, heard }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 2000; !(await holds()); left--) {
    if (left === 0) throw new Error('It never came true.')
    await delay(10)
  }
}

const PEOPLE: readonly Who[] = ['ann', 'bob']

describe('what each person is shown', () => {
  it('is theirs at /mcp, however many ask at once', async () => {
    const asking = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? 'ann' : 'bob') as Who)
    const lists = await Promise.all(asking.map((who) => listed(who)))
    for (const [at, who] of asking.entries()) {
      const text = JSON.stringify(lists[at])
      expect(text).toContain(`mine__of_${who}_1`)
      expect(text).toContain(`told__of_${who}_1`)
      expect(text).not.toContain(`of_${OTHER[who]}_1`)
      expect(text).not.toContain(`What ${OTHER[who]} may do`)
    }
    // Once for each of them, and never for nobody.
    for (const server of servers.slice(0, 2)) expect([...server.asked].sort()).toEqual(['ann', 'bob'])
  })

  it('is theirs in a virtual server', async () => {
    for (const who of PEOPLE) {
      const text = JSON.stringify(await listed(who, 'view'))
      expect(text).toContain(`"of_${who}_1"`)
      expect(text).not.toContain(`of_${OTHER[who]}_1`)
      expect(text).not.toContain(`What ${OTHER[who]} may do`)
    }
  })

  it('is theirs for clients of both eras', async () => {
    for (const mode of ['legacy', { pin: '2026-07-28' }] as const)
      for (const who of PEOPLE) {
        const { client } = await connect(who, mode)
        const text = JSON.stringify([await client.listTools(), await client.listResources()])
        expect(text).toContain(`mine__of_${who}_1`)
        expect(text).toContain(`notes://${who}`)
        expect(text).not.toContain(`of_${OTHER[who]}_1`)
        expect(text).not.toContain(`notes://${OTHER[who]}`)
      }
  })

  it('is theirs in the overview', async () => {
    for (const who of PEOPLE) {
      const { at, headers } = of(who)
      const answer = await fetch(`${gateway.url}/tools`, {
        headers: { ...headers, authorization: `Bearer ${at['*']}` },
      })
      const { tools } = (await answer.json()) as { tools: { server: string; name: string }[] }
      const names = tools.map(({ server, name }) => `${server}/${name}`)
      expect(names).toEqual(expect.arrayContaining([`mine/of_${who}_1`, `told/of_${who}_1`]))
      expect(names.filter((name) => name.includes(OTHER[who]))).toEqual([])
    }
  })

  it('is asked for without saying for whom where one list serves everybody, while calls say it', async () => {
    const lists = await Promise.all(PEOPLE.map((who) => namesFor(who)))
    for (const names of lists)
      expect(names?.filter((name) => name.startsWith('all__of'))).toEqual(['all__of_stranger_1'])
    expect(new Set(servers[2]?.asked)).toEqual(new Set(['stranger']))
    expect(await call('bob', 'all__shared')).toContain('shared by bob')
  })

  it('is another account of theirs with another credential', async () => {
    const headers = { 'x-upstream-authorization': 'Bearer of-carol' }
    const { body } = await request(place('*'), of('ann').at['*'], 'tools/list', {}, headers)
    expect(JSON.stringify(body)).toContain('mine__of_carol_1')
    expect(JSON.stringify(body)).not.toContain('mine__of_ann_1')
    expect(await namesFor('ann')).toContain('mine__of_ann_1')
  })
})

describe('what each person calls', () => {
  it('is theirs, and what another is shown does not exist', async () => {
    for (const who of PEOPLE) {
      expect(await call(who, `told__of_${who}_1`)).toContain(`of_${who}_1 by ${who}`)
      expect(await call(who, `told__of_${OTHER[who]}_1`)).toContain('Unknown tool')
      expect(await call(who, `of_${OTHER[who]}_1`, 'view')).toContain('Unknown tool')
    }
  })

  it('is judged by the definition that they are shown, at every address', async () => {
    for (const [address, name] of [
      ['*', 'told__shared'],
      ['told', 'shared'],
    ] as const) {
      expect(await call('ann', name, address)).toContain('shared by ann')
      expect(await call('bob', name, address)).toContain('Unknown tool')
      expect(await namesFor('ann', address)).toContain(name)
      expect(await namesFor('bob', address)).not.toContain(name)
    }
  })
})

describe('whoever asks for a decision about a person', () => {
  it('is not that person to the server: a rule that reads their tool does not hold, and others do', async () => {
    const root = { username: 'root', password: 'eleven quiet owls in a barn', administrator: true }
    await gateway.addUser(root)
    const decisions = decisionsAs(gateway, bearer(await decisionToken(gateway, createPerson(root))))
    const ask = async (name: string) => {
      const resource = { type: 'tool', id: name }
      const { body } = await decisions.evaluation({
        subject: { type: 'user', id: 'ann@example.com' },
        action: { name: 'can_use' },
        resource,
      })
      return body.decision
    }
    const asked = servers.map((server) => server.asked.length)
    expect(await ask('told/shared')).toBe(false)
    expect(await ask('told/of_ann_1')).toBe(true)
    expect(servers.map((server) => server.asked.length)).toEqual(asked)
  })
})

describe('a change of one person’s list', () => {
  it('is told to them alone, and shown at once', async () => {
    const [ann, bob] = [await connect('ann', 'legacy'), await connect('bob', 'legacy')]
    const modern = await connect('ann', { pin: '2026-07-28' })
    const listening = await modern.client.listen({ toolsListChanged: true })
    const [mine] = servers
    if (mine === undefined) return expect.fail()
    await until(() => mine.listening('ann') > 0 && mine.listening('bob') > 0)
    mine.change('ann')
    const changed = 'notifications/tools/list_changed'
    await until(() => ann.heard.includes(changed) && modern.heard.includes(changed))
    expect(await namesFor('ann')).toContain('mine__of_ann_2')
    expect(await namesFor('bob')).toContain('mine__of_bob_1')
    expect(bob.heard).toEqual([])
    // Theirs was asked for once more, and nobody else's.
    expect(mine.asked.filter((who) => who === 'bob')).toEqual(['bob'])
    await listening.close()
  })
})

describe('a tool that two people are shown under two definitions', () => {
  it('is pinned as the first one saw it: open for whoever is shown that, and closed for nobody because of another', async () => {
    expect(await namesFor('ann', 'strict')).toEqual(['of_ann_1', 'shared'])
    for (let round = 0; round < 3; round++) {
      expect(await namesFor('bob', 'strict')).toEqual([])
      expect(await call('bob', 'shared', 'strict')).toContain('Unknown tool')
      expect(await call('ann', 'shared', 'strict')).toContain('shared by ann')
      expect(await namesFor('ann')).toContain('strict__shared')
      expect(await namesFor('bob')).not.toContain('strict__shared')
    }
    const told = await gateway.audit((events) => events.some(isAct('tool_changed')))
    // Once, however often the two took turns.
    expect(told.filter(isAct('tool_changed')).map((event) => event.name)).toEqual(['strict/shared'])
    expect(told.filter(isAct('tool_restored'))).toEqual([])
  })
})

const isAct = (act: string) => (event: object) =>
  'act' in event && event.act === act && 'name' in event && String(event.name).startsWith('strict/')
