// Starts the company's identity provider as a second process, and walks a person through its login page.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createCookieJar } from './cookies.ts'
import { parseForms } from './forms.ts'

/** `sub` and whatever else it says of the person: email, email_verified, groups … */
export interface IdpUser {
  readonly sub: string
  readonly username?: string
  readonly [claim: string]: unknown
}

export interface IdpOptions {
  readonly users: readonly IdpUser[]
  /** Client metadata, RFC 7591. A redirect URI on loopback holds for every port: `http://127.0.0.1/callback/corp`. */
  readonly clients: readonly Readonly<Record<string, unknown>>[]
  /** Where it puts the claims of a person; the ID token always has `sub`. */
  readonly claimsIn?: 'userinfo' | 'id_token'
  /** The port of an earlier one that was stopped. */
  readonly port?: number
}

export interface Idp {
  readonly issuer: string
  readonly port: number
  /** Logs in there, in a browser of its own; answers the callback address it is sent to, unopened. */
  signIn(authorizationUrl: string, username: string): Promise<string>
  /** As `signIn`, but presses Cancel. */
  cancel(authorizationUrl: string): Promise<string>
  stop(): Promise<void>
}

const SCRIPT = fileURLToPath(new URL('./idp-process.ts', import.meta.url))

export async function startIdp({ users, clients, claimsIn = 'userinfo', port = 0 }: IdpOptions): Promise<Idp> {
  const child = spawn(process.execPath, [SCRIPT], {
    env: { ...process.env, IDP_OPTIONS: JSON.stringify({ users, clients, claimsIn }), IDP_PORT: String(port) },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  // It warns of its memory store and keys, which are what a test wants; the rest is told when it fails.
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const [issuer] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    exited.then(([code]) => Promise.reject(new Error(`The identity provider ended with ${code}: ${said}`))),
  ])
  exited.catch(() => undefined)

  return {
    issuer,
    port: Number(new URL(issuer).port),
    signIn: (url, username) => walk(url, { username, password: 'any' }),
    cancel: (url) => walk(url, { cancelled: 'yes' }),
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** A browser without anything but cookies, from the authorization request to the answer's address. */
async function walk(authorizationUrl: string, answer: Record<string, string>): Promise<string> {
  const jar = createCookieJar()
  const redirectUri = new URL(authorizationUrl).searchParams.get('redirect_uri') ?? ''
  let [url, body]: [URL, URLSearchParams | undefined] = [new URL(authorizationUrl), undefined]
  for (let step = 0; step < 10; step++) {
    const method = body ? 'POST' : 'GET'
    const cookie = jar.header(url, { crossSite: false, method })
    const response = await fetch(url, {
      method,
      body: body ?? null,
      redirect: 'manual',
      headers: cookie === undefined ? {} : { cookie },
    })
    jar.take(url, response.headers.getSetCookie())
    const text = await response.text()
    const location = response.headers.get('location')
    if (location?.startsWith(redirectUri)) return location
    const form = parseForms(text).find(({ inputs }) => inputs.includes('username') === 'username' in answer)
    if (location === null && !form) throw new Error(`The identity provider answered ${response.status}: ${text}`)
    body = location === null ? new URLSearchParams(answer) : undefined
    url = location === null ? url : new URL(location, url)
  }
  throw new Error('The identity provider never came to an answer.')
}
