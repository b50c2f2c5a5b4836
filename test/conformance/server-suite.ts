// What the suite asks of a server, as tests: every required scenario of both revisions, and those it does not score but we do.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failures, type Report, requiredScenarios, runSuite } from './runner.ts'

export interface Target {
  readonly url: string
  close(): Promise<void>
}

/** `pending` and later additions: run with the revision, never scored, kept all the same. */
const OURS_TOO: Readonly<Record<string, readonly string[]>> = {
  '2026-07-28': ['http-header-validation', 'http-custom-header-server-validation', 'json-schema-2020-12'],
  '2025-11-25': ['server-session-lifecycle', 'server-sse-polling', 'json-schema-2020-12'],
}

/** `without`: what a target does not have, and no revision requires. */
export async function describeServer(
  title: string,
  startTarget: () => Promise<Target>,
  without: readonly string[] = [],
): Promise<void> {
  for (const [revision, more] of Object.entries(OURS_TOO)) {
    const scenarios = [...(await requiredScenarios(revision)), ...more.filter((each) => !without.includes(each))]
    describe(`${title}, MCP ${revision}`, () => {
      let target: Target
      let report: Report
      beforeAll(async () => {
        target = await startTarget()
        report = await runSuite(['server', '--url', target.url, '--requirements', revision])
      })
      afterAll(() => target.close())

      it('is found conformant', () => {
        expect(report.exitCode, report.output).toBe(0)
      })
      it.each(scenarios)('%s', (scenario) => {
        expect(failures(report.scenarios.get(scenario))).toEqual([])
      })
    })
  }
}
