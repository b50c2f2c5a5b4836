// Connecting accounts in a real browser: what it lets a form of ours lead to, which cookies come back, and how the pages stand on a phone.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openPage, startBrowser } from '../support/browser.ts'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { startTokenGuarded, type TokenGuarded } from '../support/token-guarded.ts'
import { type GuardedUpstream, startGuardedUpstream } from '../support/upstream-auth.ts'

let notes: TokenGuarded
let github: GuardedUpstream
let gateway: TestGateway
beforeEach(async () => {
  notes = await startTokenGuarded({ 'ann-secret-1': 'ann at notes' })
  github = await startGuardedUpstream({ expiresIn: 3600 })
  const help = 'Make one at https://notes.example/settings/tokens and copy it.'
  gateway = await startGateway({
    servers: [
      { id: 'notes', title: 'Team notes', url: notes.url, credentials: { type: 'secret', title: 'Notes token', help } },
      { id: 'github', title: 'GitHub', url: github.url, credentials: { type: 'oauth', scopes: ['repo', 'read:org'] } },
    ],
  })
  await gateway.addUser(ANN)
})
afterEach(async () => {
  await gateway.close()
  await Promise.all([notes.close(), github.close()])
})

it.for([390, 1280])('both kinds are connected and given back at a width of %d', async (width, context) => {
  const browser = await startBrowser(context)
  try {
    const { page, complaints } = await openPage(browser)
    await page.setViewportSize({ width, height: 800 })
    const fits = () => page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')
    await page.goto(`${gateway.url}/connections`)
    await page.fill('#username', ANN.username)
    await page.fill('#password', ANN.password)
    await page.click('button:has-text("Sign in")')
    await page.waitForSelector('h1:has-text("Your connections")')
    expect(await fits()).toBe(true)
    const entry = (name: string) => page.locator('main li', { hasText: name })
    await entry('Team notes').getByRole('link', { name: 'Connect', exact: true }).click()
    await page.waitForSelector('#secret')
    expect(await fits()).toBe(true)
    await page.fill('#secret', 'ann-secret-1')
    await page.click('button:has-text("Connect")')
    await page.waitForSelector('h1:has-text("Connected")')
    await page.getByRole('link', { name: 'Your connections' }).click()
    await entry('GitHub').getByRole('link', { name: 'Connect', exact: true }).click()
    await page.waitForSelector('text=read:org')
    expect(await fits()).toBe(true)
    await page.click('button:has-text("Connect")')
    await page.waitForSelector('h1:has-text("Connected")')
    expect(page.url()).toBe(`${gateway.url}/connections/connected?server=github`)
    await page.getByRole('link', { name: 'Your connections' }).click()
    await entry('GitHub').getByText('Connected', { exact: true }).waitFor()
    expect(await fits()).toBe(true)
    await entry('GitHub').getByRole('button', { name: 'Disconnect' }).click()
    await entry('GitHub').getByText('Not connected', { exact: true }).waitFor()
    expect(complaints).toEqual([])
  } finally {
    await browser.close()
  }
})
