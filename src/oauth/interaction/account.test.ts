// The start page, signing out, and the first administrator's link.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseForms } from '../../../test/support/forms.ts'
import { PASSWORD, type Pages, startPages } from '../../../test/support/pages.ts'
import { mintSetupLink } from './setup.ts'

let pages: Pages
beforeEach(async () => {
  pages = await startPages()
})
afterEach(() => pages.close())

const formOf = async (answer: Response) => parseForms(await answer.text())[0]

describe('the start page', () => {
  it('says who is signed in', async () => {
    expect(await (await pages.request('/')).text()).toContain('The gate is up')
    const added = await pages.users.addLocal({ username: 'ann', password: PASSWORD, name: '<b>Ann' })
    if (added.status === 'created') pages.signInAs(added.user.id)
    expect(await (await pages.request('/')).text()).toContain('&lt;b&gt;Ann')
  })
})

describe('signing out', () => {
  beforeEach(async () => {
    const added = await pages.users.addLocal({ username: 'ann', password: PASSWORD })
    if (added.status === 'created') pages.signInAs(added.user.id)
  })

  it('asks first, then ends the session and says so', async () => {
    const page = await pages.request('/logout')
    const cookie = page.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    const answer = await pages.request('/logout', { form: (await formOf(page))?.fields ?? {}, cookie })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/logout'])
    expect(pages.acts).toMatchObject([{ act: 'sign_out', decision: 'allow' }])
    expect(pages.calls).toEqual(['endSession'])
    expect(await (await pages.request('/logout')).text()).toContain('You are signed out')
  })

  it('is not done for a form of another browser, nor without one', async () => {
    const form = (await formOf(await pages.request('/logout')))?.fields ?? {}
    for (const cookie of ['', 'portcullis-form=another'])
      expect((await pages.request('/logout', { form, cookie })).status).toBe(403)
    expect((await pages.request('/logout', { form: {} })).status).toBe(403)
    expect(pages.session()).toBeDefined()
  })
})

describe('the first administrator', () => {
  const link = async () =>
    new URL(await mintSetupLink({ tickets: pages.tickets, serverUrl: pages.url, now: Date.now() }))
  const open = async (url: URL) => pages.request(`${url.pathname}${url.search}`)
  const ACCOUNT = { username: 'ann', email: '', password: PASSWORD, again: PASSWORD }

  it('is created by the link, once', async () => {
    const url = await link()
    const fields = (await formOf(await open(url)))?.fields
    const answer = await pages.request('/setup', { form: { ...fields, ...ACCOUNT } })
    expect([answer.status, (await answer.text()).includes('Administrator created')]).toEqual([200, true])
    expect([...pages.stored.rows.values()]).toMatchObject([{ identity: 'ann', administrator: true }])
    expect(pages.acts).toMatchObject([{ act: 'administrator_created', decision: 'allow' }])
    expect((await open(url)).status).toBe(400)
    expect((await pages.request('/setup', { form: { ...fields, ...ACCOUNT, username: 'eve' } })).status).toBe(400)
    expect(pages.stored.rows.size).toBe(1)
  })

  it.each([
    ['two different passwords', { again: 'something else entirely' }, 'not the same'],
    ['a short password', { password: 'short', again: 'short' }, '15 characters'],
    [
      'an obvious password',
      { password: 'administrator123', again: 'administrator123' },
      'first that an attacker tries',
    ],
    ['a bad name', { username: 'a b' }, 'user name'],
  ])('keeps the link alive after %s', async (_, over, words) => {
    const url = await link()
    const fields = (await formOf(await open(url)))?.fields
    const refused = await pages.request('/setup', { form: { ...fields, ...ACCOUNT, ...over } })
    expect([refused.status, (await refused.text()).includes(words)]).toEqual([422, true])
    expect((await pages.request('/setup', { form: { ...fields, ...ACCOUNT } })).status).toBe(200)
  })

  it('has one winner for a link used twice at once, and one for two links', async () => {
    const fields = (await formOf(await open(await link())))?.fields
    const second = (await formOf(await open(await link())))?.fields
    const answers = await Promise.all(
      [fields, fields, second].map((form) => pages.request('/setup', { form: { ...form, ...ACCOUNT } })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400])
    expect(pages.stored.rows.size).toBe(1)
  })

  it('needs a link that exists and a form of ours', async () => {
    expect((await pages.request('/setup')).status).toBe(400)
    expect((await pages.request('/setup?ticket=guess')).status).toBe(400)
    expect((await pages.request('/setup', { form: { ticket: 'guess', ...ACCOUNT } })).status).toBe(403)
    const fields = (await formOf(await open(await link())))?.fields
    const foreign = await pages.request('/setup', {
      form: { ...fields, ...ACCOUNT },
      headers: { origin: 'https://evil.example' },
    })
    expect(foreign.status).toBe(403)
    expect(pages.stored.rows.size).toBe(0)
  })

  it('cannot be guessed at without end', async () => {
    for (let at = 0; at < 30; at++) await pages.request('/setup?ticket=guess')
    expect((await pages.request('/setup?ticket=guess')).status).toBe(429)
    // Nor does guessing shut out whoever has the link, however often it is opened.
    const url = await link()
    for (let at = 0; at < 35; at++) expect((await open(url)).status).toBe(200)
    const fields = (await formOf(await open(url)))?.fields
    expect((await pages.request('/setup', { form: { ...fields, ...ACCOUNT } })).status).toBe(200)
  })

  it('never exists unrecorded', async () => {
    const fields = (await formOf(await open(await link())))?.fields
    pages.breakRecorder()
    expect((await pages.request('/setup', { form: { ...fields, ...ACCOUNT } })).status).toBe(503)
    expect(pages.stored.rows.size).toBe(0)
  })
})
