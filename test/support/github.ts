// GitHub as far as a sign-in sees it: an OAuth app's authorization (no OpenID Connect, no ID token) and the REST API about a person.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface GithubAccount {
  readonly id: number
  readonly login: string
  readonly name?: string
  readonly emails: readonly { readonly email: string; readonly primary: boolean; readonly verified: boolean }[]
  readonly organisations?: readonly string[]
  /** `organisation/team`. */
  readonly teams?: readonly string[]
}

export interface Github {
  /** Where people sign in; the REST API is below `/api`. */
  readonly url: string
  readonly api: string
  /** Who sits at the browser: signed in there already, and in agreement. */
  account: GithubAccount
  /** Access tokens it gave out. */
  readonly tokens: readonly string[]
  /** Paths of the REST API that were asked, with their queries. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

export const GITHUB_APP = { clientId: 'oauth-app', clientSecret: 'between-the-app-and-github' }

interface Pending {
  readonly account: GithubAccount
  readonly redirectUri: string
  readonly challenge: string
}

export async function startGithub(first: GithubAccount): Promise<Github> {
  const codes = new Map<string, Pending>()
  const tokens = new Map<string, GithubAccount>()
  const asked: string[] = []
  const server = createServer(async (req, res) => {
    const url = new URL(req.url ?? '/', 'http://github.invalid')
    if (url.pathname === '/login/oauth/authorize') return authorize(url.searchParams, res)
    if (url.pathname === '/login/oauth/access_token' && req.method === 'POST')
      return sendJson(res, 200, redeem(new URLSearchParams(await bodyOf(req))))
    if (url.pathname.startsWith('/api/')) return answerApi(url, req.headers.authorization ?? '', res)
    sendJson(res, 404, { message: 'Not Found' })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  function authorize(parameters: URLSearchParams, res: ServerResponse) {
    const redirectUri = parameters.get('redirect_uri') ?? ''
    if (parameters.get('client_id') !== GITHUB_APP.clientId) return sendJson(res, 404, { message: 'Not Found' })
    const code = randomBytes(10).toString('hex')
    codes.set(code, { account: github.account, redirectUri, challenge: parameters.get('code_challenge') ?? '' })
    const back = new URL(redirectUri)
    back.searchParams.set('code', code)
    back.searchParams.set('state', parameters.get('state') ?? '')
    res.writeHead(302, { Location: back.href }).end()
  }

  /** GitHub refuses with 200 and an `error` member. */
  function redeem(form: URLSearchParams): object {
    const pending = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const isApp = form.get('client_id') === GITHUB_APP.clientId && form.get('client_secret') === GITHUB_APP.clientSecret
    if (!isApp) return { error: 'incorrect_client_credentials' }
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (pending?.challenge !== challenge || pending.redirectUri !== form.get('redirect_uri'))
      return { error: 'bad_verification_code' }
    const token = `gho_${randomBytes(18).toString('hex')}`
    tokens.set(token, pending.account)
    return { access_token: token, token_type: 'bearer', scope: 'read:user,user:email,read:org' }
  }

  function answerApi(url: URL, authorization: string, res: ServerResponse) {
    asked.push(url.pathname + url.search)
    const account = tokens.get(authorization.replace(/^Bearer /, ''))
    if (account === undefined) return sendJson(res, 401, { message: 'Bad credentials' })
    const answers: Record<string, unknown> = {
      '/api/user': { id: account.id, login: account.login, name: account.name ?? null, email: null },
      '/api/user/emails': account.emails,
      '/api/user/orgs': (account.organisations ?? []).map((login) => ({ login })),
      '/api/user/teams': (account.teams ?? []).map((path) => {
        const [login, slug] = path.split('/')
        return { slug, organization: { login } }
      }),
    }
    const answer = answers[url.pathname]
    if (answer === undefined) return sendJson(res, 404, { message: 'Not Found' })
    sendJson(res, 200, Array.isArray(answer) ? pageOf(answer, url.searchParams) : answer)
  }

  const github: Github = {
    url: origin,
    api: `${origin}/api`,
    account: first,
    get tokens() {
      return [...tokens.keys()]
    },
    asked,
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
  return github
}

function pageOf(list: readonly unknown[], parameters: URLSearchParams): readonly unknown[] {
  const size = Number(parameters.get('per_page') ?? 30)
  const page = Number(parameters.get('page') ?? 1)
  return list.slice((page - 1) * size, page * size)
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of req) text += chunk
  return text
}

function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
