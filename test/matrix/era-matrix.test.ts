// Every client with every server, through the real gateway: each feature that both have must work, and the page that says so must be what was
// found. PORTCULLIS_WRITE=1 writes the page.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { CLIENTS } from './clients.ts'
import { ALL, type Feature } from './features.ts'
import { limitOf } from './limits.ts'
import { type Row, startRows } from './servers.ts'
import { type Cell, matrixPage } from './table.ts'

const PAGE = join(import.meta.dirname, '../../docs/reference/era-matrix.md')
const ROWS = [
  'server-everything',
  'server-filesystem (stdio)',
  'server-memory (stdio)',
  'server-sequential-thinking (stdio)',
  'fixture of 2026-07-28',
  'fixture of 2025-11-25',
  'fixture over HTTP+SSE',
  'fixture over WebSocket',
] as const

let folder: string
let servers: Awaited<ReturnType<typeof startRows>>
let gateway: TestGateway
const cells: Cell[] = []
const tokens = new Map<string, string>()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-matrix-'))
  servers = await startRows(folder)
  gateway = await startGateway({
    servers: servers.rows.map(({ config }) => config),
    policy: { rules: [{ allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
    oauth: { registration: { perAddress: 1000, total: 1000 } },
  })
  // One after the other: so many passwords at once look like guessing.
  for (const { user } of CLIENTS) await signIn(user)
})
afterAll(async () => {
  await gateway?.close()
  await servers?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** One browser, one sign-in at a time. */
async function signIn(user: string): Promise<void> {
  const person = await gateway.person(user)
  for (const { config } of servers.rows)
    tokens.set(`${config.id} ${user}`, await gateway.tokenFor(config.id, { user: person }))
}

async function tryCell(row: Row, client: (typeof CLIENTS)[number]): Promise<Cell> {
  const { id } = row.config
  const own = join(folder, `${id}-${client.user}`)
  mkdirSync(own)
  const token = tokens.get(`${id} ${client.user}`) ?? ''
  const has = ALL.filter((feature) => feature in row.asks)
  const way = { server: id, gateway: gateway.url, token, folder: own }
  const features = has.filter((feature) => client.can.includes(feature))
  const findings = await client.tryOut(way, row.asks, features)
  return { server: row.name, client: client.name, has, can: client.can, findings }
}

/** What is known not to work must not: else nobody would strike it out. */
function faultsOf({ server, client, findings }: Cell): string[] {
  return Object.entries(findings).flatMap(([feature, found]) => {
    const limit = limitOf(server, client, feature as Feature)
    if (limit !== undefined) return found === 'works' ? [`${client}: ${feature} works. Its limit is no more.`] : []
    return found === 'works' ? [] : [`${client}: ${feature}: ${found.wrong}`]
  })
}

describe('what a client can do and a server offers works', () => {
  // One client after the other at a server, several servers at once.
  it.concurrent.each(ROWS)('%s', { timeout: 300_000 }, async (name) => {
    const row = servers.rows.find((each) => each.name === name)
    if (row === undefined) throw new TypeError(`No server is called ${name}.`)
    const faults: string[] = []
    for (const client of CLIENTS) {
      const cell = await tryCell(row, client)
      cells.push(cell)
      faults.push(...faultsOf(cell))
    }
    expect(faults).toEqual([])
  })
})

it('docs/reference/era-matrix.md says what was found', () => {
  expect(cells).toHaveLength(ROWS.length * CLIENTS.length)
  const inOrder = ROWS.flatMap((server) => cells.filter((cell) => cell.server === server))
  const page = matrixPage(inOrder)
  if (process.env['PORTCULLIS_WRITE'] === '1') writeFileSync(PAGE, page)
  expect(readFileSync(PAGE, 'utf8')).toBe(page)
})
