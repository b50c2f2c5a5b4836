// The sign-in of a protected host in a real Chromium: its cookie rules, and a form whose answer leads to another host (CSP `form-action`).
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPage, startBrowser } from '../support/browser.ts'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { type Ingress, startIngress } from '../support/ingress.ts'
import { freePort } from '../support/upstream.ts'

let gateway: TestGateway
let ingress: Ingress
beforeAll(async () => {
  const port = await freePort()
  const host = `localhost:${port}`
  gateway = await startGateway({ server: { trustedProxies: ['127.0.0.1'] }, forwardAuth: { resources: [{ host }] } })
  ingress = await startIngress({ address: `${gateway.url}/auth`, host, scheme: 'http', port })
  await gateway.person()
})
afterAll(async () => {
  await ingress.close()
  await gateway.close()
})

it('ends at the page that was opened, and the next one is shown at once', { timeout: 60_000 }, async (context) => {
  const browser = await startBrowser(context)
  const { page, complaints } = await openPage(browser)
  await page.goto(`http://localhost:${ingress.port}/page?x=1`)
  expect(page.url()).toContain(`${gateway.url}/interaction/`)
  await page.fill('#username', ANN.username)
  await page.fill('#password', ANN.password)
  await page.click('button[type=submit]')
  await page.waitForURL(`http://localhost:${ingress.port}/page?x=1`)
  expect(await page.textContent('body')).toContain('from the server behind')
  await page.goto(`http://localhost:${ingress.port}/next`)
  expect(page.url()).toBe(`http://localhost:${ingress.port}/next`)
  expect(complaints.filter((complaint) => !complaint.includes('favicon'))).toEqual([])
  const names = (await page.context().cookies()).map(({ name, domain }) => `${domain} ${name}`)
  expect(names).toEqual(expect.arrayContaining(['localhost portcullis_forward', '127.0.0.1 portcullis_session']))
  await browser.close()
})
