// The official Inspector's page in a real Chromium: connect, consent and sign in in our pages, list the tools, call one.
// And from the same page straight to the gate, as a client without a server of its own does: that needs CORS.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPage, startBrowser } from '../support/browser.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { INSPECTOR, inspectorEnv } from '../support/inspector.ts'
import { freePort, saying, stopProcess } from '../support/upstream.ts'

const PATIENCE = 60_000

let folder: string
let fixture: Fixture
let gateway: TestGateway
let inspector: ChildProcess
let inspectorUrl: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'inspector-web-'))
  fixture = await startFixture()
  gateway = await startGateway({ servers: [{ id: 'fixture', url: fixture.url }] })
  await gateway.addUser(ANN)
  const words = ['--web', '--server-url', gateway.resource('fixture'), '--transport', 'http', '--protocol-era', 'auto']
  inspector = spawn(process.execPath, [INSPECTOR, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...inspectorEnv(folder),
      MCP_AUTO_OPEN_ENABLED: 'false',
      CLIENT_PORT: String(await freePort()),
      MCP_SANDBOX_PORT: String(await freePort()),
    },
  })
  const [address] = await saying(inspector, /http:\/\/\S+MCP_INSPECTOR_API_TOKEN=\w+/)
  inspectorUrl = address
})
afterAll(async () => {
  if (inspector) await stopProcess(inspector)
  await gateway?.close()
  await fixture?.close()
  rmSync(folder, { recursive: true, force: true })
})

it('signs in through our pages, lists the tools and calls one', { timeout: PATIENCE * 2 }, async (context) => {
  const browser = await startBrowser(context)
  const { page, complaints } = await openPage(browser)
  page.setDefaultTimeout(PATIENCE)
  await page.goto(inspectorUrl)
  await page.getByRole('switch', { name: /connect/i }).click({ force: true })

  await page.waitForURL((url) => url.origin === gateway.url)
  expect(await page.locator('body').textContent()).toMatch(/inspector/i)
  await page.getByRole('button', { name: /^(allow|continue)/i }).click()
  await page.locator('input[type=password]').fill(ANN.password)
  await page
    .locator('form:has(input[type=password]) input:not([type=hidden]):not([type=password])')
    .first()
    .fill(ANN.username)
  await page.locator('form:has(input[type=password]) button').first().click()

  await page.waitForURL((url) => url.origin === new URL(inspectorUrl).origin)
  await page.getByText('Tools', { exact: true }).first().click()
  await page.getByText('test_simple_text').first().click()
  await page.getByRole('button', { name: 'Execute Tool' }).click()
  await page.getByText('simple text response').first().waitFor()
  const ours = complaints.filter((line) => line.includes(gateway.url))
  expect(ours).toEqual([])
  await browser.close()
})

it('is answered from that page without a server between: documents, challenge, registration, token', async (context) => {
  const browser = await startBrowser(context)
  const { page } = await openPage(browser)
  await page.goto(new URL(inspectorUrl).origin)
  const seen = await fetchFromPage(page, gateway)
  expect(seen.challenge).toContain('resource_metadata=')
  expect(seen).toMatchObject({
    challenged: 401,
    resource: gateway.resource('fixture'),
    issuer: gateway.url,
    registered: 201,
    token: 400,
    tokenError: 'invalid_grant',
    listed: 200,
  })
  await browser.close()
})

/** What JavaScript on that page may read of our answers; a missing CORS header makes each of these throw. */
async function fetchFromPage(page: Page, { url, resource, tokenFor }: TestGateway) {
  const order = { url, mcp: resource('fixture'), accessToken: await tokenFor('fixture') }
  return page.evaluate(async ({ url, mcp, accessToken }) => {
    const read = async (response: Response) => (await response.json()) as Record<string, string>
    const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} })
    const refused = await fetch(mcp, {
      method: 'POST',
      headers: { ...json, 'mcp-protocol-version': '2026-07-28' },
      body,
    })
    const challenge = refused.headers.get('www-authenticate') ?? ''
    const document = await read(await fetch(/resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? ''))
    const server = await read(await fetch(`${url}/.well-known/oauth-authorization-server`))
    const registration = JSON.stringify({
      client_name: 'Page',
      redirect_uris: ['http://127.0.0.1:1/callback'],
      token_endpoint_auth_method: 'none',
    })
    const registered = await fetch(server['registration_endpoint'] ?? '', {
      method: 'POST',
      headers: json,
      body: registration,
    })
    const { client_id = '' } = await read(registered)
    const form = {
      grant_type: 'authorization_code',
      client_id,
      code: 'x',
      code_verifier: 'y'.repeat(43),
      redirect_uri: 'http://127.0.0.1:1/callback',
    }
    const token = await fetch(server['token_endpoint'] ?? '', { method: 'POST', body: new URLSearchParams(form) })
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'page', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const listed = await fetch(mcp, {
      method: 'POST',
      headers: {
        ...json,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/list',
        authorization: `Bearer ${accessToken}`,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: meta } }),
    })
    return {
      challenged: refused.status,
      challenge,
      resource: document['resource'],
      issuer: server['issuer'],
      registered: registered.status,
      token: token.status,
      tokenError: (await read(token))['error'],
      listed: listed.status,
    }
  }, order)
}
