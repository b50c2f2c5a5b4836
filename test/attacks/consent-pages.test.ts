// The pages framed, spoofed and flooded: security catalogue A12, A13, A26. Content Security Policy Level 3 (frame-ancestors,
// form-action), MCP 2026-07-28, Security Best Practices, RFC 6265bis §5.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPage, startBrowser, type Watched } from '../support/browser.ts'
import { pkce, register, registerClient, type TestClient } from '../support/client.ts'
import { ANN } from '../support/gateway.ts'
import {
  answerOf,
  codeFor,
  departFor,
  expectLocalPage,
  expectRefused,
  expectServed,
  type FederatedRange,
  GOOD,
  type Mirror,
  press,
  SCOPE,
  type Seen,
  seenOf,
  send,
  startFederatedRange,
  startMirror,
  tokensOf,
} from '../support/oauth-range.ts'
import { createPerson, type Person, type Visit } from '../support/person.ts'
import { attackTable } from '../support/range.ts'

let range: FederatedRange
let mirror: Mirror
let client: TestClient

beforeAll(async () => {
  range = await startFederatedRange()
  mirror = await startMirror()
  client = await registerClient(range.gateway, { redirectUris: [GOOD] })
  await codeFor(range, client)
})
afterAll(async () => {
  mirror?.close()
  await range?.close()
})

const requestOf = (of: TestClient = client, bend = {}): string =>
  of.authorize({ resource: range.resource, scope: SCOPE, ...bend }).url

type Shown = Pick<Seen, 'headers' | 'html' | 'status'>

async function signInPage(): Promise<Visit> {
  const person = createPerson(ANN)
  const consent = await person.open(requestOf())
  const { location = '' } = await press(person, consent, 'allow')
  return person.open(new URL(location, consent.url).href, { from: consent.url })
}

const at = (path: string) => send(`${range.gateway.url}${path}`)
const PAGES: readonly { id: string; open: () => Promise<Shown>; says: string }[] = [
  { id: 'consent', open: () => createPerson(ANN).open(requestOf()), says: 'Allow' },
  {
    id: 'continue as',
    open: async () => (await range.gateway.person()).open(requestOf(), { from: 'https://evil.example/' }),
    says: 'Continue as',
  },
  { id: 'sign-in', open: signInPage, says: 'Sign in' },
  {
    id: 'sign-in with a wrong password',
    open: async () => {
      const [person, page] = [createPerson(ANN), await signInPage()]
      return person.submit(page, /^sign in$/i, { username: 'ann', password: 'wrong' })
    },
    says: 'started in another browser',
  },
  { id: 'start', open: () => at('/'), says: 'Portcullis' },
  { id: 'signed out', open: () => at('/logout'), says: 'signed in' },
  {
    id: 'sign-out',
    open: async () => (await range.gateway.person()).open(`${range.gateway.url}/logout`),
    says: 'Sign out',
  },
  { id: 'setup without its ticket', open: () => at('/setup'), says: 'link' },
  {
    id: 'a refused authorization request',
    open: () => send(requestOf(client, { client_id: 'nobody' })),
    says: 'not registered here',
  },
  { id: 'a question that is over', open: () => at(`/interaction/${'a'.repeat(43)}`), says: 'expired' },
  { id: 'a resumed request that is over', open: () => at(`/oauth/authorize/${'a'.repeat(43)}`), says: 'expired' },
  {
    id: 'connections',
    open: async () => (await range.gateway.person()).follow(`${range.gateway.url}/connections`),
    says: 'Your connections',
  },
  { id: 'a callback out of the blue', open: () => at('/callback/corp?code=x&state=y'), says: 'expired' },
]

attackTable('A12: a page that must not be framed', PAGES, async ({ open, says }) => {
  const { headers, html } = await open()
  expect(html).toContain(says)
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
  const directives = (headers.get('content-security-policy') ?? '').split(';').map((directive) => directive.trim())
  expect(directives).toEqual(
    expect.arrayContaining(["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "img-src 'self'"]),
  )
  expect(directives.join()).not.toMatch(/unsafe|script-src|\*/)
  expect(directives.filter((directive) => directive.startsWith('form-action ')).length).toBe(1)
  expect(headers.get('x-frame-options')).toBe('DENY')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('cache-control')).toBe('no-store')
  expect(html).not.toMatch(/<script|<iframe|<object|<embed|\son\w+=|style="/i)
})

describe('A12: other pages', () => {
  it.each(['/admin', '/device', '/oauth/device', '/tokens'])(
    'do not exist yet, and want a row above when they do: %s',
    async (path) => {
      expect((await at(path)).status).toBe(404)
    },
  )
})

describe('A12: in a real browser', () => {
  let browser: Browser | undefined
  let frames: Server
  let frameUrl: string
  let framed = ''

  beforeAll(async () => {
    // Same host, so that the cookies travel and only the headers can keep the page out of the frame.
    frames = createServer((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/html' })
      res.end(`<!doctype html><h1>Win a prize</h1><iframe src="${framed.replaceAll('&', '&amp;')}"></iframe>`)
    })
    await once(frames.listen(0, '127.0.0.1'), 'listening')
    frameUrl = `http://127.0.0.1:${(frames.address() as AddressInfo).port}/`
  })
  afterAll(async () => {
    await browser?.close()
    frames?.closeAllConnections()
    frames?.close()
  })

  /** What stands in the frame, once the outer page has loaded. */
  async function textInFrame(page: Page): Promise<string | null> {
    await page.goto(frameUrl)
    const inner = page.frames().find((frame) => frame !== page.mainFrame())
    if (!inner) throw new Error('The frame is gone.')
    return inner.locator('body').textContent()
  }

  it('stays blank in a frame, and would not without its headers', async (context) => {
    browser ??= await startBrowser(context)
    const { page } = await openPage(browser)
    await page.goto(requestOf())
    expect(await page.locator('h1').textContent()).toContain('Allow')
    // The browser holds this question's cookie: alone it is shown, in a frame it is not.
    framed = page.url()
    expect(await textInFrame(page)).not.toMatch(/Allow|Cancel|canary/)
    await page.route(framed, async (route) => {
      const response = await route.fetch()
      const { 'content-security-policy': _csp, 'x-frame-options': _options, ...headers } = response.headers()
      await route.fulfill({ response, headers })
    })
    expect(await textInFrame(page)).toMatch(/Allow/)
    await page.close()
  })

  const CURSOR = 'cursor://anysphere.cursor-mcp/oauth/callback'

  /** Says yes as somebody new; answers with the browser on the sign-in page. */
  async function allow({ page }: Watched): Promise<void> {
    await page.goto(requestOf(await registerClient(range.gateway, { redirectUris: [CURSOR] })))
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.getByLabel('User name').waitFor()
  }

  /** Signs in as ann, until the browser has left for somewhere that is no page; answers what it would not let a form do. */
  async function signIn({ page, complaints }: Watched): Promise<string[]> {
    await page.getByLabel('User name').fill(ANN.username)
    await page.getByLabel('Password').fill(ANN.password)
    const left = page.waitForEvent('requestfailed', (request) => request.url().includes('/oauth/authorize/'))
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await left
    // One round trip more: complaints come the same way.
    await page.title()
    return complaints.filter((complaint) => complaint.includes('form-action'))
  }

  it('lets a form lead to an application, which a narrower policy would have stopped', async (context) => {
    browser ??= await startBrowser(context)
    const open = await openPage(browser)
    await allow(open)
    expect(await signIn(open)).toEqual([])
    await open.page.close()

    // The control: where there is something to complain of, it is heard.
    const narrow = await openPage(browser)
    await allow(narrow)
    await narrow.page.route(narrow.page.url(), async (route) => {
      const response = await route.fetch()
      const policy = response.headers()['content-security-policy'] ?? ''
      const narrowed = policy.replace(/form-action [^;]*/, "form-action 'self'")
      await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': narrowed } })
    })
    await narrow.page.reload()
    expect((await signIn(narrow)).length).toBeGreaterThan(0)
    await narrow.page.close()
  })

  it('runs nothing and fetches nothing that a client put into its metadata', async (context) => {
    browser ??= await startBrowser(context)
    const spoof = await registerClient(range.gateway, {
      redirectUris: [GOOD],
      metadata: {
        client_name: '<img src=https://evil.example/x.png onerror=alert(1)><script>alert(1)</script>',
        logo_uri: 'https://evil.example/logo.png',
        client_uri: 'https://evil.example/',
        tos_uri: 'javascript:alert(1)',
      },
    })
    const { page, complaints } = await openPage(browser)
    const [asked, dialogs]: [string[], string[]] = [[], []]
    page.on('request', (request) => asked.push(new URL(request.url()).origin))
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message())
      void dialog.dismiss()
    })
    await page.goto(requestOf(spoof))
    expect(await page.locator('h1').textContent()).toContain('<img src=https://evil.example/x.png')
    expect([...new Set(asked)]).toEqual([range.gateway.url])
    expect({ dialogs, complaints }).toEqual({ dialogs: [], complaints: [] })
    expect(await page.locator('main img, main script, main a').count()).toBe(0)
    await page.close()
  })
})

const NAMES = [
  { id: 'an image', name: '<img src=x onerror=alert(1)>', shown: '&lt;img src=x onerror=alert(1)&gt;' },
  { id: 'a script', name: '<script>alert(1)</script>', shown: '&lt;script&gt;' },
  { id: 'the end of the title', name: '</title><script>alert(1)</script>', shown: '&lt;/title&gt;' },
  { id: 'the end of an attribute', name: `"'><svg onload=alert(1)>`, shown: '&quot;&#39;&gt;&lt;svg' },
  { id: 'an entity', name: '&lt;b&gt;&#60;b&#62;', shown: '&amp;lt;b&amp;gt;' },
  { id: 'a template', name: '${7*7}{{7*7}}<%=7*7%>', shown: '${7*7}{{7*7}}&lt;%=7*7%&gt;' },
  { id: 'a direction override', name: 'Safe\u{202e}exe.evil', shown: 'Safe exe.evil' },
  { id: 'isolates', name: 'Safe\u{2066}evil\u{2069}', shown: 'Safe evil' },
  { id: 'invisible letters', name: 'Cla\u{200b}ude\u{feff}\u{2060}', shown: 'Cla ude' },
  { id: 'line breaks', name: 'Safe\r\n\r\nAllowed by your administrator', shown: 'Safe Allowed by your administrator' },
  { id: 'NUL and bell', name: 'Sa\u{0}fe\u{7}', shown: 'Sa fe' },
  { id: 'a tower of accents', name: `Z${'\u{301}'.repeat(80)}`, shown: '\u{179}\u{301}' },
  { id: 'ten thousand characters', name: 'Long '.repeat(2000), shown: '…' },
  { id: 'a look-alike of a known client', name: '\u{421}laude', shown: '\u{421}laude' },
] as const

attackTable('A13: a client that calls itself', NAMES, async ({ name, shown }) => {
  const spoof = await registerClient(range.gateway, {
    redirectUris: [GOOD],
    metadata: { client_name: name, logo_uri: 'http://169.254.169.254/latest/meta-data/' },
  })
  const page = await createPerson(ANN).open(requestOf(spoof))
  expect(page.status).toBe(200)
  expect(page.html).toContain(shown)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  expect(page.html).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u2066-\u2069\u200b\ufeff\u2060]|\u0301{3}/)
  expect(page.html).not.toMatch(/<script|<svg|<img src=x|169\.254|onload=alert\(1\)>/)
  expect(page.html.length).toBeLessThan(5000)
  // Whatever it calls itself: where the answer goes, and that nobody vouches for the name.
  expect(page.html).toContain('<strong class="mono">good.example</strong>')
  expect(page.html).toContain('nobody has checked its name')
  expect(page.headers.get('content-security-policy')).toContain("img-src 'self';")
})

attackTable(
  'A13: a target whose host would write our policy',
  [
    { id: 'a semicolon', uri: 'https://good.example;script-src/cb' },
    { id: 'a comma', uri: 'https://good.example,evil/cb' },
    { id: 'a star', uri: 'https://*.example/cb' },
    { id: 'a quote', uri: "https://good.example'self'/cb" },
    { id: 'IPv6', uri: 'http://[::1]:8080/cb' },
    { id: 'a punycode look-alike', uri: 'https://xn--gthub-cua.example/cb' },
  ],
  async ({ uri }) => {
    const answer = await register(range.gateway.url, { redirect_uris: [uri], token_endpoint_auth_method: 'none' })
    if (answer.status !== 201)
      return expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_redirect_uri' } })
    const odd = await registerClient(range.gateway, { redirectUris: [uri] })
    const page = await createPerson(ANN).open(requestOf(odd))
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' (https?:|https:\/\/[a-z0-9.-]+); frame-ancestors 'none'; base-uri 'none'$/,
    )
    // Browsers compare the ASCII form; that is what the person sees.
    expect(page.html).toContain(new URL(uri).host.replaceAll("'", '&#39;'))
  },
)

describe('A26: three hundred clients', () => {
  const FLOOD = 300
  const LARGEST = 8 * 1024

  async function headerSizes(person: Person, uid: string): Promise<number[]> {
    const paths = ['/', '/oauth/authorize', `/oauth/authorize/${uid}`, `/interaction/${uid}`, '/callback/corp']
    return Promise.all(paths.map(async (path) => (await mirror.cookies(person, path)).length))
  }

  const uidOf = ({ url }: Visit) => new URL(url).pathname.split('/')[2] ?? ''

  /** Registered without the discovery that a client of the test does. */
  async function registered(): Promise<string> {
    const body = JSON.stringify({ redirect_uris: [GOOD], token_endpoint_auth_method: 'none' })
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
    const response = await fetch(client.metadata.registration_endpoint, init)
    return ((await response.json()) as { client_id: string }).client_id
  }

  const requestBy = (id: string) => requestOf(client, { client_id: id, code_challenge: pkce().challenge })

  it('approved or left open, they do not fill the browser', { timeout: 120_000 }, async () => {
    const person = await range.gateway.person()
    let page: Visit | undefined
    for (let count = 0; count < FLOOD; count++) {
      // Over the hours that a person would need: so many at once are refused as a flood.
      if (count % 100 === 99) range.gateway.clock.advance('11m')
      page = await person.open(requestBy(await registered()))
      // Every third is only looked at.
      if (count % 3 === 0) continue
      const { location = '' } = await press(person, page, 'allow')
      const done = await person.open(location, { stopAt: GOOD })
      expect(answerOf(done.location).has('code')).toBe(true)
    }
    if (page === undefined) throw new TypeError('No page.')
    for (const size of await headerSizes(person, uidOf(page))) expect(size).toBeLessThan(LARGEST / 4)
    // The ledger is the server's: what was approved first is still known, and the last question can be answered.
    const { code, verifier } = await codeFor(range, client)
    await expectServed(range, tokensOf(range, await client.exchange(code, verifier)).accessToken)
  })

  it('sign-ins under way keep to the newest, and the oldest gives way', async () => {
    range.gateway.clock.advance('11m')
    const person = createPerson({ username: 'cara', password: 'any' })
    const departed: URL[] = []
    for (let count = 0; count < 12; count++) departed.push(await departFor(person, requestOf()))
    expect((await mirror.cookies(person, '/callback/corp')).length).toBeLessThan(LARGEST / 4)
    const [oldest, newest] = [departed[0], departed.at(-1)]
    const back = async (address: URL | undefined) => {
      const callback = await range.idp.signIn(address?.href ?? '', 'cara')
      range.secrets.add(new URL(callback).searchParams.get('code') ?? '')
      return seenOf(await person.request(callback))
    }
    expectLocalPage(await expectRefused(range, 'another_browser', () => back(oldest)), 403)
    const { location = '' } = await back(newest)
    const done = await person.open(location, { stopAt: GOOD })
    expect(answerOf(done.location).has('code')).toBe(true)
    range.secrets.add(answerOf(done.location).get('code') ?? '')
  })
})
