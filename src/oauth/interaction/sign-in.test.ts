// Signing in with a local account, over HTTP.
import { afterEach, describe, expect, it } from 'vitest'
import { parseForms } from '../../../test/support/forms.ts'
import { CLIENT, PASSWORD, type Pages, startPages } from '../../../test/support/pages.ts'

const running: Pages[] = []
async function start(options: Parameters<typeof startPages>[0] = {}): Promise<Pages> {
  const pages = await startPages({ interactions: [{ prompt: 'login' }], ...options })
  running.push(pages)
  await pages.users.addLocal({ username: 'ann', password: PASSWORD, email: 'ann@example.com' })
  return pages
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((pages) => pages.close()))
})

async function signIn(pages: Pages, username: string, password: string): Promise<Response> {
  const html = await (await pages.request('/interaction/u1')).text()
  const form = parseForms(html).find(({ inputs }) => inputs.includes('password'))
  return pages.request(form?.action ?? '', { form: { ...form?.fields, username, password } })
}

describe('a local account', () => {
  it('signs in, and it is recorded', async () => {
    const pages = await start()
    const answer = await signIn(pages, 'Ann', PASSWORD)
    expect([answer.status, answer.headers.get('location')]).toEqual([303, CLIENT])
    expect(pages.calls).toEqual(['signIn u1 pwd'])
    expect(pages.acts).toMatchObject([{ act: 'sign_in', decision: 'allow', email: 'ann@example.com', client: 'c1' }])
  })

  it('gets the same page for a wrong password and an unknown name, and keeps its question', async () => {
    const pages = await start()
    const wrong = await signIn(pages, 'ann', 'not the password')
    const unknown = await signIn(pages, 'eve', 'not the password')
    expect([wrong.status, unknown.status]).toEqual([403, 403])
    const text = async (answer: Response) => (await answer.text()).replaceAll(/value="(ann|eve)"/g, '')
    const page = await text(wrong)
    expect(page).toContain('role="alert"')
    expect(await text(unknown)).toBe(page)
    expect(pages.calls).toEqual([])
    expect(pages.acts.map(({ act, reason }) => [act, reason])).toEqual([
      ['sign_in_refused', 'wrong_password'],
      ['sign_in_refused', 'wrong_password'],
    ])
    expect((await signIn(pages, 'ann', PASSWORD)).status).toBe(303)
  })

  it('puts what was typed back escaped, and never the password', async () => {
    const pages = await start()
    const html = await (await signIn(pages, '"><b>x', 'typed secret')).text()
    expect(html).toContain('value="&quot;&gt;&lt;b&gt;x"')
    expect(html).not.toContain('typed secret')
    expect(JSON.stringify(pages.acts)).not.toMatch(/typed secret|<b>x/)
  })

  it('waits after five failures, with Retry-After', async () => {
    const pages = await start()
    for (let at = 0; at < 5; at++) expect((await signIn(pages, 'ann', 'wrong')).status).toBe(403)
    const answer = await signIn(pages, 'ann', PASSWORD)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '60'])
    expect(pages.acts.at(-1)).toMatchObject({ act: 'sign_in_refused', reason: 'backoff' })
    pages.advance(60_000)
    expect((await signIn(pages, 'ann', PASSWORD)).status).toBe(303)
  })

  it('has twenty attempts in one authorization request, and as many in another', async () => {
    const pages = await start({
      interactions: [
        { uid: 'u1', prompt: 'login' },
        { uid: 'u2', prompt: 'login' },
      ],
    })
    for (let at = 0; at < 20; at++) expect((await signIn(pages, `nobody-${at}`, 'wrong')).status).toBe(403)
    const refused = await signIn(pages, 'ann', PASSWORD)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1800'])
    expect(pages.acts.at(-1)).toMatchObject({ act: 'page_refused', decision: 'deny', reason: 'sign_in_tries' })
    const html = await (await pages.request('/interaction/u2', { cookie: 'fake=u2' })).text()
    const form = parseForms(html).find(({ inputs }) => inputs.includes('password'))
    const fields = { ...form?.fields, username: 'ann', password: PASSWORD }
    expect((await pages.request(form?.action ?? '', { form: fields, cookie: 'fake=u2' })).status).toBe(303)
  })

  it('is refused when the allowed addresses leave it out, though the password is right', async () => {
    const pages = await start({ identity: { allowedEmails: ['*@other.example'] } })
    const { rows } = pages.stored
    expect(rows.size).toBe(0)
    const open = await start()
    for (const [id, user] of open.stored.rows) rows.set(id, user)
    expect((await signIn(pages, 'ann', PASSWORD)).status).toBe(403)
    expect(pages.acts).toMatchObject([{ act: 'sign_in_refused', reason: 'not_admitted' }])
  })

  it('is refused a password too long to be one, and a form too large', async () => {
    const pages = await start()
    expect((await signIn(pages, 'ann', 'x'.repeat(2000))).status).toBe(400)
    expect((await signIn(pages, 'ann', 'x'.repeat(1_000_000))).status).toBe(413)
  })

  it('cannot sign in before consent, nor where local accounts are not offered', async () => {
    const early = await start({ interactions: [{ prompt: 'consent' }] })
    const login = await start()
    const csrf = parseForms(await (await login.request('/interaction/u1')).text())[0]?.fields['csrf'] ?? ''
    const form = { csrf, username: 'ann', password: PASSWORD }
    expect((await early.request('/interaction/u1/login', { form })).status).toBe(400)
    const provider = { id: 'corp', type: 'oidc', issuer: 'http://127.0.0.1:1', clientId: 'c' } as const
    const federated = await start({ identity: { providers: [provider] } })
    expect((await federated.request('/interaction/u1/login', { form })).status).toBe(404)
    expect([...early.calls, ...federated.calls]).toEqual([])
  })
})
