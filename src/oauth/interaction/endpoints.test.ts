// The pages over HTTP: what they show, who may answer them, and that an answer counts once.
import { afterEach, describe, expect, it } from 'vitest'
import { parseForms } from '../../../test/support/forms.ts'
import { CLIENT, PASSWORD, type Pages, startPages } from '../../../test/support/pages.ts'

const running: Pages[] = []
async function start(options: Parameters<typeof startPages>[0] = {}): Promise<Pages> {
  const pages = await startPages(options)
  running.push(pages)
  return pages
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((pages) => pages.close()))
})

const LOGIN = { prompt: 'login' as const }
const show = async (pages: Pages, path = '/interaction/u1') => (await pages.request(path)).text()
const csrfOf = async (pages: Pages, path?: string) => parseForms(await show(pages, path))[0]?.fields['csrf'] ?? ''

describe('every page', () => {
  it('runs and frames nothing, is not kept, and needs no script', async () => {
    const pages = await start()
    for (const path of ['/interaction/u1', '/', '/logout', '/interaction/gone', '/setup']) {
      const answer = await pages.request(path)
      const csp = answer.headers.get('content-security-policy') ?? ''
      expect(csp).toContain("default-src 'none'; style-src 'self'; img-src 'self'; form-action ")
      expect(csp).toContain("frame-ancestors 'none'; base-uri 'none'")
      expect(answer.headers.get('x-frame-options')).toBe('DENY')
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      const html = await answer.text()
      expect(html).toMatch(/<html lang="en">[\s\S]*<h1>/)
      expect(html).not.toMatch(/<script|<style| style=| on\w+=|javascript:/i)
    }
  })

  it('has its stylesheet and mark at addresses that may be kept for good', async () => {
    const pages = await start()
    const html = await show(pages)
    const assets = [...html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? '')
    expect(new Set(assets).size).toBe(2)
    for (const asset of assets) {
      const answer = await pages.request(asset)
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'public, max-age=31536000, immutable'])
    }
    expect((await pages.request('/assets/portcullis.css')).headers.get('cache-control')).toBe('no-cache')
  })

  it.each([
    '/interaction/',
    '/interaction/u1/',
    '/interaction/u1/allow/',
    '/interaction/u1/idp',
    '/interaction/u1/idp/none',
    '/callback/none',
    '/callback',
    '/Logout',
    '/interaction/u%31',
    '/assets/../setup',
  ])('leaves %s to others', async (path) => {
    const pages = await start()
    const answer = await pages.request(path)
    expect(answer.status).toBe(path === '/assets/../setup' ? 400 : 404)
  })

  it('knows its methods', async () => {
    const pages = await start()
    const answer = await pages.request('/interaction/u1/allow')
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
    expect((await pages.request('/interaction/u1', { method: 'HEAD' })).status).toBe(200)
    expect((await pages.request('/interaction/u1', { form: {} })).status).toBe(405)
    expect(pages.calls).toEqual([])
  })
})

describe('consent', () => {
  it('shows client, redirect host, resource and scopes, and leads to the client', async () => {
    const pages = await start()
    const answer = await pages.request('/interaction/u1')
    const html = await answer.text()
    for (const text of ['Some Client', 'client.example', 'Team files', 'Call tools', 'nobody has checked its name'])
      expect(html).toContain(text)
    expect(html).not.toContain('any program on this computer')
    expect(answer.headers.get('content-security-policy')).toContain("form-action 'self' https://client.example;")
    expect(answer.headers.getSetCookie()).toEqual([])
  })

  it.each([
    ['loopback', 'http://127.0.0.1:33418/cb', 'any program on this computer', 'http://127.0.0.1:33418;'],
    ['scheme', 'cursor://evil.ext/cb', 'whichever program on this computer opens cursor:// links', 'cursor:;'],
    ['scheme', 'com.example.app://login/cb', 'whichever program on this computer opens com.example.app:// ', 'app:;'],
  ] as const)('warns of a %s redirect', async (redirectKind, redirectUri, words, source) => {
    const pages = await start({ interactions: [{ redirectKind, redirectUri }] })
    const answer = await pages.request('/interaction/u1')
    expect(await answer.text()).toContain(words)
    expect(answer.headers.get('content-security-policy')).toContain(source)
  })

  it('names the extension that an editor hands the answer to, and repeats no other text that an app may choose', async () => {
    const shownFor = async (redirectUri: string) =>
      show(await start({ interactions: [{ redirectKind: 'scheme', redirectUri }] }))
    const editor = await shownFor('vscode://evil.ext/cb')
    expect(editor).toContain('<strong class="mono">vscode://evil.ext</strong>')
    expect(editor).toContain('An extension of an editor on this computer')
    expect(editor).toContain('its extension <strong><bdi>evil.ext</bdi></strong>')
    const other = await shownFor('com.evil.app://accounts.google.com/cb')
    expect(other).toContain('<strong class="mono">com.evil.app://</strong>')
    expect(other).toContain('A program on this computer')
    expect(other).not.toMatch(/accounts\.google\.com|its extension/)
  })

  it('makes a hostile name harmless', async () => {
    const name = `<img src=x onerror=alert(1)>\u202E${'Claude '.repeat(2000)}`
    const client = { id: 'c1', name, kind: 'document', documentHost: 'docs.example' } as const
    const html = await show(await start({ interactions: [{ client }] }))
    expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;')
    expect(html).not.toMatch(/<img src=x|\u202E/)
    expect(html).toContain('Described by docs.example.')
    expect(html.length).toBeLessThan(6000)
  })

  it('is short for what this person allowed before, and only then', async () => {
    const pages = await start({ interactions: [{ remembered: true, account: 'ann' }] })
    expect(await show(pages)).not.toContain('Continue as')
    const added = await pages.users.addLocal({ username: 'ann', password: PASSWORD, email: 'ann@example.com' })
    if (added.status === 'created') pages.stored.rows.set('ann', added.user)
    expect(await show(pages)).toContain('Continue as <bdi>ann@example.com</bdi>?')
  })

  it('allows once: the second answer finds it used', async () => {
    const pages = await start()
    const form = { csrf: await csrfOf(pages), client_id: 'other', scope: 'admin', redirect_uri: 'https://evil.example' }
    const answer = await pages.request('/interaction/u1/allow', { form })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, CLIENT])
    const again = await pages.request('/interaction/u1/allow', { form })
    expect(again.status).toBe(400)
    expect(await again.text()).toContain('already used')
    expect(pages.calls).toEqual(['allow u1'])
  })

  it('tells the client of a refusal, and the record first', async () => {
    const pages = await start()
    const answer = await pages.request('/interaction/u1/deny', { form: { csrf: await csrfOf(pages) } })
    expect(answer.status).toBe(303)
    expect(pages.acts).toMatchObject([{ act: 'consent_refused', decision: 'deny', client: 'c1', address: '192.0.2.1' }])
  })

  it('does nothing that cannot be recorded', async () => {
    const pages = await start()
    const form = { csrf: await csrfOf(pages) }
    pages.breakRecorder()
    const answer = await pages.request('/interaction/u1/deny', { form })
    expect(answer.status).toBe(503)
    expect(await answer.text()).not.toContain('disk')
    expect(pages.calls).toEqual([])
    expect(pages.logged).toEqual(['a page failed store_unavailable'])
  })

  it('refuses nothing that cannot be recorded either', async () => {
    const pages = await start()
    const ask = () => pages.request('/interaction/u1', { cookie: 'fake=u2' })
    expect((await ask()).status).toBe(403)
    expect(pages.acts).toMatchObject([{ act: 'page_refused', decision: 'deny', reason: 'another_browser' }])
    pages.breakRecorder()
    const withheld = await ask()
    expect([withheld.status, withheld.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await withheld.text()).not.toContain('another browser')
    expect(pages.logged).toEqual(['a page failed store_unavailable'])
  })
})

describe('an answer from elsewhere', () => {
  const post = (pages: Pages, csrf: string, headers: Record<string, string> = {}, cookie = 'fake=u1') =>
    pages.request('/interaction/u1/allow', { form: { csrf }, headers, cookie })

  it.each([
    ['another site', (): Record<string, string> => ({ origin: 'https://evil.example' })],
    ['an opaque origin', () => ({ origin: 'null' })],
    ['the same host on another port', () => ({ origin: 'http://127.0.0.1:1' })],
    ['a site without Origin', () => ({ 'sec-fetch-site': 'cross-site' })],
    ['a sibling domain without Origin', () => ({ 'sec-fetch-site': 'same-site' })],
    ['our origin as a prefix', (url: string) => ({ origin: `${url}.evil.example` })],
  ])('is refused: %s', async (_, headers) => {
    const pages = await start()
    const answer = await post(pages, await csrfOf(pages), headers(pages.url))
    expect(answer.status).toBe(403)
    expect(pages.calls).toEqual([])
  })

  it.each([
    ['our origin', (url: string): Record<string, string> => ({ origin: url, 'sec-fetch-site': 'same-origin' })],
    ['no Origin, same-origin', () => ({ 'sec-fetch-site': 'same-origin' })],
    ['neither header', () => ({})],
  ])('is taken: %s', async (_, headers) => {
    const pages = await start()
    expect((await post(pages, await csrfOf(pages), headers(pages.url))).status).toBe(303)
  })

  it('needs the token of this form and this question', async () => {
    const pages = await start({ interactions: [{}, { uid: 'u2' }, { uid: 'u3', ...LOGIN }] })
    const others = await csrfOf(pages, '/interaction/u2').catch(() => '')
    const other = parseForms(await (await pages.request('/interaction/u2', { cookie: 'fake=u2' })).text())[0]
    for (const csrf of ['', 'x', others, other?.fields['csrf'] ?? ''])
      expect((await post(pages, csrf)).status).toBe(403)
    expect(pages.calls).toEqual([])
  })

  it('needs the browser that was asked, and two tabs both count', async () => {
    const pages = await start({ interactions: [{}, { uid: 'u2' }] })
    const cookie = 'fake=u1; fake=u2'
    const first = await csrfOf(pages)
    const second =
      parseForms(await (await pages.request('/interaction/u2', { cookie })).text())[0]?.fields['csrf'] ?? ''
    expect((await post(pages, first, {}, 'fake=u9')).status).toBe(403)
    expect((await post(pages, first)).status).toBe(303)
    expect((await pages.request('/interaction/u2/allow', { form: { csrf: second }, cookie })).status).toBe(303)
  })

  it('is refused with a field twice', async () => {
    const pages = await start()
    const csrf = await csrfOf(pages)
    const answer = await fetch(`${pages.url}/interaction/u1/allow`, {
      method: 'POST',
      body: `csrf=${csrf}&csrf=${csrf}`,
      headers: { cookie: 'fake=u1', 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(answer.status).toBe(400)
    expect(pages.calls).toEqual([])
  })
})
