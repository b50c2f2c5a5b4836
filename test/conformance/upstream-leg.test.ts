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

/** Checks that never come to be: 2026-07-28 has no handshake, and `Mcp-Method` is a field of that revision. */
const NOT_OF_THIS_REVISION = [
  'SKIPPED sep-2243-client-includes-standard-headers: Client did not send a initialize request; Mcp-Method header was not exercised for this method.',
  'SKIPPED sep-2243-client-includes-standard-headers: Client did not send a notifications/initialized request; Mcp-Method header was not exercised for this method.',
]

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

  it.concurrent.each(SCENARIOS[revision])('%s', { timeout: 60_000 }, async (scenario) => {
    const command = `${process.execPath} ${CLIENT} ${address} ${era}`
    const report = await runSuite(['client', '--command', command, '--scenario', scenario, '--spec-version', revision])
    const failed = failures(report.scenarios.get(scenario)).filter((each) => !NOT_OF_THIS_REVISION.includes(each))
    expect(failed, report.output).toEqual([])
    expect(report.exitCode, report.output).toBe(0)
  })
})
