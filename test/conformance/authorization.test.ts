// The gateway as an authorization server, judged by the official suite; a person goes through the pages it points to.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/upstream.ts'
import { failures, type Report, runSuite } from './runner.ts'

let gateway: TestGateway
let report: Report

beforeAll(async () => {
  gateway = await startGateway({
    servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }],
    oauth: { clients: [{ clientId: 'conf', redirectUris: ['http://127.0.0.1:39333/callback'] }] },
  })
  const port = String(await freePort())
  const person = await gateway.person()
  let answered: Promise<unknown> | undefined
  report = await runSuite(
    [
      'authorization',
      '--url',
      gateway.url,
      '--client-id',
      'conf',
      '--port',
      port,
      '--resource',
      gateway.resource('notes'),
    ],
    (output) => {
      const url = /^http\S+[?&]code_challenge=\S+$/m.exec(output)?.[0]
      if (url !== undefined) answered ??= signIn(url)
    },
  )
  await answered

  /** The suite waits at its redirect URI; what went wrong on the way there is told to it as the error it then reports. */
  async function signIn(url: string): Promise<void> {
    const visit = await person.follow(url)
    await fetch(
      visit.location ?? `http://127.0.0.1:${port}/callback?error=${visit.status}_at_${encodeURIComponent(visit.url)}`,
    )
  }
})
afterAll(() => gateway.close())

it('is found conformant', () => {
  expect(report.exitCode, report.output).toBe(0)
})
it.each(['authorization-server-metadata-endpoint', 'authorization-code-grant'])('%s', (scenario) => {
  expect(failures(report.scenarios.get(scenario))).toEqual([])
})
