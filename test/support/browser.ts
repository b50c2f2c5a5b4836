// A real Chromium. It talks to this machine only: pages that want fonts or scripts from elsewhere do without.
import { type Browser, chromium, type Page } from 'playwright-core'
import type { TestContext } from 'vitest'
import { findChromium } from '../prepare.ts'

export async function startBrowser(context: TestContext): Promise<Browser> {
  const executablePath = findChromium()
  if (!executablePath) return context.skip('Chromium is not installed; as root: apt-get install chromium')
  // Chromium's own sandbox refuses to run as root, as in a container.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

export interface Watched {
  readonly page: Page
  /** Console errors and failed requests to this machine, which is what CORS and CSP mistakes look like. */
  readonly complaints: string[]
}

export async function openPage(browser: Browser): Promise<Watched> {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
  const complaints: string[] = []
  await page.route(
    (url) => !/^(localhost|127\.\d+\.\d+\.\d+)$/.test(url.hostname),
    (route) => route.abort(),
  )
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.location().url}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  return { page, complaints }
}
