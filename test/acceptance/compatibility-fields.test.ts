// The fields with which ContextForge makes a token and Portkey a key: each has its place in ours, or is refused by its name.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rowsOf } from '../../src/config/compatibility/rows.ts'
import { SEEDS } from '../../src/config/seed-rows.ts'
import { type AdminApi, adminApi, basic } from '../support/admin-api.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'

const PASSWORD = 'a-long-enough-password'

let gateway: TestGateway
let api: AdminApi
beforeAll(async () => {
  gateway = await startGateway({
    servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }],
    scopes: { 'notes:read': { title: 'Read', covers: ['notes/*'] } },
    admin: { user: 'root', password: PASSWORD },
  })
  api = adminApi(gateway, basic('root', PASSWORD))
})
afterAll(() => gateway?.close())

/** A value of each field of ours, and what is told of it. */
const OURS: Readonly<Record<string, readonly [sent: object, told: object]>> = {
  name: [{ name: 'nightly' }, { name: 'nightly' }],
  description: [{ description: 'nightly run' }, { description: 'nightly run' }],
  expires_in: [{ expires_in: '2d' }, {}],
  expires_at: [{ expires_at: new Date(Date.now() + 86_400_000).toISOString() }, {}],
  reach: [{ reach: ['notes/read_*'] }, { reach: ['notes/read_*'] }],
  scopes: [{ scopes: ['notes:read'] }, { scopes: ['notes:read'] }],
  addresses: [{ addresses: ['10.0.0.0/8'] }, { addresses: ['10.0.0.0/8'] }],
  hours: [
    { hours: { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '17:00' } },
    { hours: { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '17:00' } },
  ],
  rate: [{ rate: '1000/h' }, { rate: '1000/h' }],
  team: [{ team: 'gate' }, { team: 'gate' }],
  owner: [{ owner: 'robot' }, { owner: 'service:robot' }],
  'rotation.every': [{ rotation: { every: '2d' } }, { rotation: { every: '2d' } }],
  'rotation.at': [{ rotation: { at: new Date(Date.now() + 3_600_000).toISOString() } }, { rotation: { every: null } }],
}

const fields = SEEDS.flatMap((system) =>
  rowsOf(system).flatMap((row) => (row.ofToken ? [[`${system}: ${row.name}`, row] as const] : [])),
)
const oursOf = (how: string): string => /^`([^`]+)`/.exec(how)?.[1] ?? ''

let made = 0
const create = (body: object) =>
  api.send('POST', '/tokens', { name: `token ${++made}`, kind: 'service', owner: 'ci', ...body })

describe('a field that has its place', () => {
  const works = fields.flatMap(([name, { here }]) =>
    here.status === 'works' && !here.how.includes('/rotate') ? [[name, oursOf(here.how)] as const] : [],
  )
  it.each(works)('%s is taken as %s', async (system, ours) => {
    const [sent, told] = OURS[ours] ?? [{ [ours]: 'missing in this table' }, {}]
    // A name is unique among the tokens of one owner.
    const { status, body } = await create({ owner: system.split(':', 1).join().toLowerCase(), ...sent })
    expect([status, body]).toEqual([201, expect.anything()])
    expect(body.token).toMatchObject(told)
  })
})

describe('a field that has none', () => {
  it.each(fields.filter(([, { here }]) => here.status !== 'works'))(
    '%s is 400 that names it',
    async (_name, { name }) => {
      const [first = ''] = name.split('.')
      const { status, body } = await create({ [first]: 'x' })
      expect([status, body.error]).toEqual([400, 'Bad Request'])
      expect(body.message).toContain(`"${first}"`)
    },
  )

  it('nor is the name of the other system taken where it has a place under ours', async () => {
    for (const field of [
      'expires_in_days',
      'scope',
      'team_id',
      'user_id',
      'workspace_id',
      'rate_limits',
      'rotation_policy',
    ])
      expect([field, (await create({ [field]: 1 })).body.message]).toEqual([
        field,
        expect.stringContaining(`"${field}"`),
      ])
  })
})
