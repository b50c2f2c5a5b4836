// The gate as the OAuth client of a server behind it: the official suite's `auth/*` for clients, a fresh gateway for each, and a person
// whose browser goes where the gate sends it.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { failures, requiredScenarios, runSuite } from './runner.ts'

const CLIENT = join(import.meta.dirname, 'upstream-oauth-client.ts')

/** Never scored, kept all the same: servers of 2025-03-26, and a credential that is the gate's own. */
const OURS_TOO: Readonly<Record<string, readonly string[]>> = {
  '2026-07-28': ['auth/client-credentials-jwt', 'auth/client-credentials-basic'],
  '2025-11-25': ['auth/2025-03-26-oauth-metadata-backcompat', 'auth/2025-03-26-oauth-endpoint-fallback'],
}

for (const [revision, more] of Object.entries(OURS_TOO)) {
  const required = (await requiredScenarios(revision, 'client')).filter((scenario) => scenario.startsWith('auth/'))
  describe(`the gate as OAuth client, MCP ${revision}`, () => {
    it('is asked for all that the revision requires', () => {
      expect(required).toHaveLength(revision === '2026-07-28' ? 25 : 14)
    })

    it.each([...required, ...more])('%s', { timeout: 60_000 }, async (scenario) => {
      // A server of an older revision is one of that revision only there.
      const spoken = more.includes(scenario) ? [] : ['--spec-version', revision]
      const command = `${process.execPath} ${CLIENT}`
      const report = await runSuite(['client', '--command', command, '--scenario', scenario, ...spoken])
      expect(failures(report.scenarios.get(scenario)), report.output).toEqual([])
      expect(report.exitCode, report.output).toBe(0)
    })
  })
}
