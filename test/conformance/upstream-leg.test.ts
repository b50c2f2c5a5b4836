// The gate as the client that a server behind it sees: the official suite's scenarios for clients, a fresh gateway for each, called by the
// official client in either era.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { failures, requiredScenarios, runSuite } from './runner.ts'

const CLIENT = join(import.meta.dirname, 'upstream-leg-client.ts')
const ERAS = ['legacy', 'modern'] as const

/** Not scored, kept all the same. */
const OURS_TOO: Readonly<Record<string, readonly string[]>> = {
  '2026-07-28': ['json-schema-2020-12-preservation'],
  '2025-11-25': ['json-schema-2020-12-preservation'],
}

for (const [revision, more] of Object.entries(OURS_TOO)) {
  const required = (await requiredScenarios(revision, 'client')).filter((scenario) => !scenario.startsWith('auth/'))
  const scenarios = [...new Set([...required, ...more])]
  describe.each(ERAS)(`a server of MCP ${revision} behind the gate, a %s client before it`, (era) => {
    it.concurrent.each(scenarios)('%s', { timeout: 60_000 }, async (scenario) => {
      const command = `${process.execPath} ${CLIENT} ${era}`
      const report = await runSuite([
        'client',
        '--command',
        command,
        '--scenario',
        scenario,
        '--spec-version',
        revision,
      ])
      expect(failures(report.scenarios.get(scenario)), report.output).toEqual([])
      expect(report.exitCode, report.output).toBe(0)
    })
  })
}
