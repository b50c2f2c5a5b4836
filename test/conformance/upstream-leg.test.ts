// What a server behind the gate sees of its client: the official suite's scenarios for clients, a fresh gateway for each. At the server's own
// address with a client of its era, whose bytes go through; and at /mcp with a client of the other era, where the gate itself is the client.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { failures, requiredScenarios, runSuite } from './runner.ts'

const CLIENT = join(import.meta.dirname, 'upstream-leg-client.ts')
const WAYS = [
  { revision: '2026-07-28', address: 'own', era: 'modern' },
  { revision: '2026-07-28', address: 'all', era: 'legacy' },
  { revision: '2025-11-25', address: 'own', era: 'legacy' },
  { revision: '2025-11-25', address: 'all', era: 'modern' },
] as const

const HEADERS = 'sep-2243-client-includes-standard-headers'
const unasked = (method: string) =>
  `SKIPPED ${HEADERS}: Client did not send a ${method} request; Mcp-Method header was not exercised for this method.`

/** 2026-07-28 has no handshake to check. */
const NEVER_COMES = [unasked('initialize'), unasked('notifications/initialized')]
/**
 * For a client of the handshake era the gate asks a server first whether it shakes hands, as that era asks: `Mcp-Method` is a field of
 * 2026-07-28 alone (Transports, standard request headers), and `initialize` no request of it.
 */
const ASKED_AS_BEFORE = `FAILURE ${HEADERS}: Missing Mcp-Method header on initialize request. Clients MUST include the Mcp-Method header on all POST requests.`
const EXCUSED: Readonly<Record<string, readonly string[]>> = {
  own: NEVER_COMES,
  all: [...NEVER_COMES, ASKED_AS_BEFORE],
}

/** Not scored, kept all the same. */
const OURS_TOO = 'json-schema-2020-12-preservation'

const scenariosOf = async (revision: string) => {
  const required = await requiredScenarios(revision, 'client')
  return [...new Set([...required.filter((scenario) => !scenario.startsWith('auth/')), OURS_TOO])]
}
const SCENARIOS = { '2026-07-28': await scenariosOf('2026-07-28'), '2025-11-25': await scenariosOf('2025-11-25') }

it('all that the revisions require of a client is asked', () => {
  expect([SCENARIOS['2026-07-28'].length, SCENARIOS['2025-11-25'].length]).toEqual([8, 5])
})

describe.each(WAYS)('a server of MCP $revision, a $era client before the gate, at the address $address', (way) => {
  const { revision, address, era } = way
  const isExcused = (check: string) => EXCUSED[address]?.includes(check) ?? false

  it.concurrent.each(SCENARIOS[revision])('%s', { timeout: 120_000 }, async (scenario) => {
    const command = `${process.execPath} ${CLIENT} ${address} ${era}`
    const report = await runSuite(['client', '--command', command, '--scenario', scenario, '--spec-version', revision])
    const checks = failures(report.scenarios.get(scenario))
    for (const check of checks.filter(isExcused)) console.log(`${scenario}, excused: ${check}`)
    const left = checks.filter((check) => !isExcused(check))
    expect(left, report.output).toEqual([])
    // The suite ends with 1 where one of its checks has failed, and where its client did.
    expect(report.exitCode, report.output).toBe(checks.includes(ASKED_AS_BEFORE) ? 1 : 0)
  })
})
