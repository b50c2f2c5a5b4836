// A browser in front of the OAuth door alone: keeps cookies, follows redirects, and decides at the pages that stand in for ours.
import { createCookieJar } from './cookies.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Record<string, unknown>
}

export interface Browser {
  get(url: string, site?: string | null): Promise<Answer>
  /** Follows redirects of ours, allowing and signing in where asked, until it is sent elsewhere. */
  follow(url: string, how?: { as?: string; deny?: boolean; site?: string | null }): Promise<URL>
  /** Pages seen by `follow`, as `consent` or `login`. */
  readonly pages: string[]
  readonly cookies: string[]
}

export function createBrowser(door: {
  url: string
  account: string
  send: (url: string, init?: RequestInit) => Promise<Answer>
}): Browser {
  const jar = createCookieJar()
  const pages: string[] = []
  const browser: Browser = {
    pages,
    get cookies() {
      return jar.names()
    },
    async get(url, site = 'none') {
      const target = new URL(url, door.url)
      const cookie = jar.header(target, { crossSite: false, method: 'GET' })
      const headers = {
        ...(cookie === undefined ? {} : { cookie }),
        ...(site === null ? {} : { 'sec-fetch-site': site }),
      }
      const answer = await door.send(target.href, { headers })
      jar.take(target, answer.headers.getSetCookie())
      return answer
    },
    async follow(start, { as, deny = false, site = 'none' } = {}) {
      let url = new URL(start)
      for (let step = 0; step < 12; step++) {
        const answer = await browser.get(url.href, step === 0 ? site : 'same-origin')
        const location = answer.headers.get('location')
        if (location === null) throw new Error(`stopped at ${url.href}: ${answer.status} ${answer.text}`)
        const next = new URL(location, url)
        if (next.origin !== new URL(door.url).origin) return next
        url = next.pathname.includes('/interaction/') ? await decide(next) : next
      }
      throw new Error(`no end after ${start}`)

      async function decide(page: URL): Promise<URL> {
        const shown: unknown = JSON.parse((await browser.get(page.href)).text)
        const prompt = (shown as { prompt: string }).prompt
        pages.push(prompt)
        const query = prompt === 'login' ? `do=login&as=${as ?? door.account}` : `do=${deny ? 'deny' : 'allow'}`
        return new URL(`${page.href}?${query}`)
      }
    },
  }
  return browser
}
