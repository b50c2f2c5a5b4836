// Two tiers in a real browser, with a provider that knows the person already: from the last button on, redirects lead through five
// addresses to a program on this computer. Chromium holds every one of them against the `form-action` of the page with the button.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPage, startBrowser } from '../support/browser.ts'
import { registerClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { GITHUB_APP, type Github, startGithub } from '../support/github.ts'
import { freePort } from '../support/upstream.ts'

const ANN = { id: 1, login: 'ann', emails: [{ email: 'ann@corp.example', primary: true, verified: true }] }

let github: Github
let server: TestGateway
let gateway: TestGateway
let program: Server
let browser: Browser | undefined
beforeAll(async () => {
  github = await startGithub(ANN)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  server = await startGateway({
    identity: {
      providers: [{ id: 'github', type: 'github', issuer: github.url, api: github.api, ...GITHUB_APP }],
    },
    oauth: { gatewayCallbacks: { enabled: true, allowedRedirectUris: [`${url}/callback/mesh`] } },
  })
  gateway = await startGateway({
    server: { url, listen: `127.0.0.1:${port}` },
    servers: [{ id: 'files', url: 'http://127.0.0.1:9/mcp' }],
    identity: { providers: [{ id: 'mesh', type: 'delegated', url: server.url, provider: 'github' }] },
  })
  program = createServer((_req, res) => res.end('You can close this window.'))
  await once(program.listen(0, '127.0.0.1'), 'listening')
})
afterAll(async () => {
  await browser?.close()
  program?.close()
  await gateway?.close()
  await server?.close()
  await github?.close()
})

it('the last button leads all the way to the client', async (context) => {
  browser = await startBrowser(context)
  const redirectUri = `http://127.0.0.1:${(program.address() as AddressInfo).port}/callback`
  const client = await registerClient(gateway, { redirectUris: [redirectUri] })
  const { page, complaints } = await openPage(browser)
  await page.goto(client.authorize({ resource: gateway.resource('files') }).url)
  for (const button of ['Allow', 'Sign in with github', 'Allow']) {
    const shown = page.url()
    await page.getByRole('button', { name: button }).click()
    await page.waitForURL((url) => url.href !== shown)
  }
  expect(new URL(page.url()).origin).toBe(server.url)
  await page.getByRole('button', { name: 'Sign in with GitHub' }).click()
  await page.waitForURL(`${redirectUri}?*`)
  const answer = new URL(page.url()).searchParams
  expect([answer.get('iss'), answer.get('code')]).toEqual([gateway.url, expect.stringMatching(/^[\w-]{22,}$/)])
  expect(complaints).toEqual([])
})
