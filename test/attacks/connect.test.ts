// Connecting an account: whoever forges, replays, swaps or reads on the way gets no account, gives away none, and learns nothing.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectionRequests } from '../../src/tokens/connection-request.ts'
import { parseForms } from '../support/forms.ts'
import { BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { createPerson, type Person, type Visit } from '../support/person.ts'
import { startTokenGuarded, type TokenGuarded } from '../support/token-guarded.ts'
import { type GuardedUpstream, startGuardedUpstream } from '../support/upstream-auth.ts'

const HOSTILE = `"><img src=x onerror=alert(1)><script>alert(2)</script>\u202e`
const CANARY = 'canary-9f2d-secret-of-ann'

let notes: TokenGuarded
let github: GuardedUpstream
let gateway: TestGateway
let ann: Person
let bob: Person
let subjects: { ann: string; bob: string }

beforeEach(async () => {
  notes = await startTokenGuarded({ [CANARY]: 'ann at notes' })
  github = await startGuardedUpstream({ expiresIn: 3600 })
  gateway = await startGateway({
    servers: [
      {
        id: 'notes',
        title: `Notes ${HOSTILE}`,
        url: notes.url,
        credentials: {
          type: 'secret',
          title: `Token ${HOSTILE}`,
          help: `javascript:alert(1) https://help.example/${HOSTILE}`,
        },
      },
      { id: 'github', url: github.url, credentials: { type: 'oauth', scopes: ['repo', '<script>alert(3)</script>'] } },
      { id: 'hidden', url: notes.url, credentials: { type: 'secret' } },
    ],
    policy: { rules: [{ allow: ['notes/*', 'github/*'], to: ['*'] }] },
  })
  ann = await gateway.person('ann')
  bob = await gateway.person('bob')
  const idOf = async (identity: string) =>
    (await gateway.store.durable.users.findByIdentity('local', identity))?.id ?? ''
  subjects = { ann: await idOf('ann'), bob: await idOf('bob') }
})
afterEach(async () => {
  await gateway.close()
  await Promise.all([notes.close(), github.close()])
})

const at = (path: string) => gateway.url + path
const page = (server: string) => at(`/connections/connect?server=${server}`)
const listOf = async (person: Person) => (await person.follow(at('/connections'))).html
const isConnected = async (person: Person, server: string) =>
  new RegExp(`server-${server}"[^\\n]*>Connected<`).test(await listOf(person))
const formOf = (visit: Visit) => parseForms(visit.html).find(({ fields }) => 'csrf' in fields)?.fields ?? {}
const OURS = () => ({ origin: gateway.url, 'sec-fetch-site': 'same-origin' })

/** A link as a call of theirs gets it. */
async function linkOf(person: Person, server = 'notes'): Promise<string> {
  const { body } = await callTool(gateway.resource(server), await gateway.tokenFor(server, { user: person }), 'whoami')
  const { content } = body['result'] as { content: { text: string }[] }
  return /http\S+/.exec(content[0]?.text ?? '')?.[0] ?? ''
}

/** To the authorization server and back, up to where its answer is. */
async function answerFor(person: Person, account: string): Promise<string> {
  const left = await person.submit(await person.follow(page('github')), /^connect$/i, {}, { stopAt: github.issuer })
  const there = await fetch(`${left.location}&login_hint=${account}`, { redirect: 'manual' })
  return there.headers.get('location') ?? ''
}

describe('a form that is sent from elsewhere', () => {
  it.each<[string, (fields: Record<string, string>) => Record<string, string>, Record<string, string>]>([
    ['without its token', ({ csrf: _, ...rest }) => rest, {}],
    ['with another token', (fields) => ({ ...fields, csrf: 'A'.repeat(43) }), {}],
    ['of another origin', (fields) => fields, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['of no origin', (fields) => fields, { origin: 'null' }],
  ])('pastes nothing %s', async (_, change, headers) => {
    const shown = await ann.follow(page('notes'))
    const send = (fields: Record<string, string>, more: Record<string, string>) =>
      ann.request(page('notes'), {
        method: 'POST',
        body: new URLSearchParams({ ...fields, secret: CANARY }),
        headers: { ...OURS(), ...more },
      })
    expect((await send(change(formOf(shown)), headers)).status).toBe(403)
    expect(await isConnected(ann, 'notes')).toBe(false)
    expect((await send(formOf(shown), {})).status).toBe(303)
    expect(await isConnected(ann, 'notes')).toBe(true)
  })

  it('disconnects nothing, and neither does a link', async () => {
    await ann.submit(await ann.follow(page('notes')), /^connect$/i, { secret: CANARY })
    const body = new URLSearchParams({ ...formOf(await ann.follow(at('/connections'))), server: 'notes' })
    const from = (headers: Record<string, string>) =>
      ann.request(at('/connections/disconnect'), { method: 'POST', body, headers })
    expect((await from({ origin: 'https://evil.example' })).status).toBe(403)
    expect((await ann.request(at('/connections/disconnect?server=notes'))).status).toBe(405)
    expect(await isConnected(ann, 'notes')).toBe(true)
    expect((await from(OURS())).status).toBe(303)
    expect(await isConnected(ann, 'notes')).toBe(false)
  })

  it('made for one server, link or browser is good for no other', async () => {
    const csrf = formOf(await ann.follow(page('notes')))['csrf'] ?? ''
    const body = () => new URLSearchParams({ csrf, secret: CANARY })
    const request = { method: 'POST', headers: OURS() }
    expect((await ann.request(page('github'), { ...request, body: body() })).status).toBe(403)
    expect((await ann.request(await linkOf(ann), { ...request, body: body() })).status).toBe(403)
    await bob.follow(page('notes'))
    expect((await bob.request(page('notes'), { ...request, body: body() })).status).toBe(403)
    expect((await ann.request(page('notes'), { ...request, body: body() })).status).toBe(303)
  })
})

describe('a link', () => {
  it('that is forged, altered or too old opens nothing', async () => {
    const link = new URL(await linkOf(ann))
    const sealed = link.searchParams.get('elicitation_id') ?? ''
    await ann.follow(page('notes'))
    for (const forged of ['', 'x', `${sealed}A`, `${sealed.slice(0, -4)}AAAA`, sealed.slice(4)]) {
      link.searchParams.set('elicitation_id', forged)
      expect((await ann.open(link.href)).status).toBe(400)
    }
    const elsewhere = connectionRequests({
      sealKeys: () => [{ key: Buffer.alloc(32, 1) }],
      marks: gateway.store.ephemeral.marks,
      clock: Date.now,
    })
    link.searchParams.set(
      'elicitation_id',
      elsewhere.seal({ subject: subjects.ann, server: 'notes', asked: undefined }),
    )
    expect((await ann.open(link.href)).status).toBe(400)
    link.searchParams.set('elicitation_id', sealed)
    expect((await ann.open(link.href)).status).toBe(200)
    gateway.clock.advance('61m')
    expect((await ann.open(link.href)).status).toBe(400)
  })

  it('of another person connects nothing, neither opened nor posted', async () => {
    const link = await linkOf(ann)
    const shown = await bob.follow(link)
    expect(shown.status).toBe(403)
    expect(shown.html).not.toMatch(/\bann\b|Notes|notes/)
    const body = new URLSearchParams({ ...formOf(await bob.follow(page('notes'))), secret: CANARY })
    expect((await bob.request(link, { method: 'POST', body, headers: OURS() })).status).toBe(403)
    expect(await isConnected(bob, 'notes')).toBe(false)
    expect(await isConnected(ann, 'notes')).toBe(false)
    // Nothing of it was spent.
    expect((await ann.submit(await ann.follow(link), /^connect$/i, { secret: CANARY })).html).toContain('Connected')
  })

  it('works once', async () => {
    const link = await linkOf(ann)
    const shown = await ann.follow(link)
    expect((await ann.submit(shown, /^connect$/i, { secret: CANARY })).status).toBe(200)
    expect((await ann.open(link)).status).toBe(410)
    const body = new URLSearchParams({ ...formOf(shown), secret: 'another' })
    expect((await ann.request(link, { method: 'POST', body, headers: OURS() })).status).toBe(410)
  })

  it('leads to no server that the person may not see, and to none that there is not', async () => {
    await ann.follow(at('/connections'))
    const hidden = await ann.open(page('hidden'))
    const unknown = await ann.open(page('nowhere'))
    expect([hidden.status, unknown.status]).toEqual([404, 404])
    const same = (visit: Visit) => visit.html.replace(/<code>[^<]*<\/code>/, '')
    expect(same(hidden)).toBe(same(unknown))
    expect(await listOf(ann)).not.toContain('hidden')
  })
})

describe('the way back', () => {
  it('is taken by the browser that left, once', async () => {
    const answer = await answerFor(ann, 'ann-there')
    const first = await ann.open(answer)
    expect([first.status, new URL(first.url).pathname]).toEqual([200, '/connections/connected'])
    expect((await ann.open(answer)).status).toBe(400)
    expect(await isConnected(ann, 'github')).toBe(true)
  })

  it('is not taken by another browser of the same person', async () => {
    const answer = await answerFor(ann, 'ann-there')
    const other = createPerson({ username: 'ann', password: 'seven green bottles on a wall' })
    await other.follow(at('/connections'))
    expect((await other.open(answer)).status).toBe(403)
    expect(await isConnected(ann, 'github')).toBe(false)
    // Nor is it spent by that.
    expect((await ann.open(answer)).status).toBe(200)
  })

  it('does not give a victim the account of whoever sends it', async () => {
    const answer = await answerFor(bob, 'attacker')
    await ann.follow(page('github'))
    expect((await ann.open(answer)).status).toBe(403)
    // With a journey of their own under way, too.
    await answerFor(ann, 'ann-there')
    expect((await ann.open(answer)).status).toBe(403)
    expect(await isConnected(ann, 'github')).toBe(false)
  })

  it('does not take a code into another journey', async () => {
    const [own, foreign] = [new URL(await answerFor(ann, 'ann-there')), new URL(await answerFor(bob, 'attacker'))]
    own.searchParams.set('code', foreign.searchParams.get('code') ?? '')
    const done = await ann.open(own.href)
    expect(done.html).toContain('Not connected')
    expect(await isConnected(ann, 'github')).toBe(false)
  })

  it.each<[string, (answer: URL) => void, number]>([
    ['without state', (answer) => answer.searchParams.delete('state'), 400],
    ['with a state of nobody', (answer) => answer.searchParams.set('state', 'x'.repeat(43)), 400],
    ['with two states', (answer) => answer.searchParams.append('state', 'x'), 400],
    ['with two codes', (answer) => answer.searchParams.append('code', 'x'), 400],
  ])('is refused %s', async (_, change, status) => {
    const answer = new URL(await answerFor(ann, 'ann-there'))
    const good = answer.href
    change(answer)
    expect((await ann.open(answer.href)).status).toBe(status)
    expect((await ann.open(good)).status).toBe(200)
  })

  it('is not taken from another authorization server', async () => {
    const answer = new URL(await answerFor(ann, 'ann-there'))
    answer.searchParams.set('iss', 'https://evil.example')
    expect((await ann.open(answer.href)).html).toContain('Not connected')
    expect(await isConnected(ann, 'github')).toBe(false)
  })

  it('ends after ten minutes, and with the session', async () => {
    const late = await answerFor(ann, 'ann-there')
    gateway.clock.advance('11m')
    expect((await ann.open(late)).status).toBe(400)
    const signedOut = await answerFor(ann, 'ann-there')
    await ann.submit(await ann.open(at('/logout')), /sign out/i)
    expect((await ann.open(signedOut)).status).toBe(403)
    expect(await isConnected(ann, 'github')).toBe(false)
  })

  it('shows no words of a stranger, and leaves the address with the code at once', async () => {
    const answer = new URL(await answerFor(ann, 'ann-there'))
    answer.searchParams.delete('code')
    answer.searchParams.set('error', 'access_denied')
    answer.searchParams.set('error_description', HOSTILE)
    const done = await ann.open(answer.href)
    expect(new URL(done.url).pathname).toBe('/connections/failed')
    expect(done.html).not.toMatch(/<script|onerror/)
    const forged = await ann.open(at('/connections/failed?server=github&note=Your+bank+says+hello'))
    expect([new URL(forged.url).pathname, forged.html.includes('bank')]).toEqual(['/connections', false])
  })
})

describe('the pages', () => {
  it('cannot be framed, run nothing, tell no other site where they were, and are kept nowhere', async () => {
    await ann.follow(at('/connections'))
    for (const url of [at('/connections'), page('notes'), page('github'), await linkOf(ann)]) {
      const { headers, html, status } = await ann.open(url)
      expect(status).toBe(200)
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('referrer-policy')).toBe('same-origin')
      expect(html).not.toMatch(/<script|<img src=x|href="javascript|\u202e/)
    }
  })

  it('lead nowhere else after the sign-in', async () => {
    const stranger = createPerson(BOB)
    const visit = await stranger.open(`${at('/connections')}?rd=https://evil.example`)
    expect(new URL(visit.url).origin).toBe(gateway.url)
    for (const query of ['', '?state=x', '?state=https://evil.example', '?rd=https://evil.example'])
      expect((await stranger.open(at(`/connections/signed-in${query}`))).status).toBe(400)
  })

  it('say who is signed in by the name that they know', async () => {
    const { users } = gateway.store.durable
    const known = await users.findByIdentity('local', 'ann')
    if (known) await users.upsertByIdentity({ ...known, email: undefined, name: undefined })
    expect((await ann.follow(page('notes'))).html).toContain('You are signed in as <bdi>ann</bdi>')
  })

  it('say where the browser goes, and not only who says so', async () => {
    const host = new URL(github.issuer).host
    expect((await ann.follow(page('github'))).html).toContain(`>${host}</strong>`)
    github.options.metadata = (document) => ({
      ...document,
      authorization_endpoint: 'https://honest.example/authorize',
    })
    const { html } = await ann.open(page('github'))
    expect(html).toContain('>honest.example</strong>')
    expect(html).toContain(`>${host}</dd>`)
  })

  it('are for people who are signed in', async () => {
    const nobody = createPerson(BOB)
    expect((await ann.request(await answerFor(ann, 'ann-there'), { method: 'HEAD' })).status).toBe(405)
    for (const path of ['/connections/connect?server=notes', '/connections/disconnect'])
      expect(
        (await nobody.request(at(path), { method: 'POST', body: new URLSearchParams(), headers: OURS() })).status,
      ).toBe(403)
    expect((await nobody.open(at('/connections/callback?code=x&state=y'))).status).toBe(403)
  })

  it('ask servers outside for nobody without end', async () => {
    await ann.follow(page('github'))
    const before = github.asked.length
    for (let look = 0; look < 99; look++) expect((await ann.request(page('notes'))).status).toBe(200)
    expect((await ann.request(page('github'))).status).toBe(429)
    expect(github.asked.length).toBe(before)
    expect((await bob.follow(page('github'))).status).toBe(200)
    gateway.clock.advance('11m')
    expect((await ann.request(page('github'))).status).toBe(200)
  })

  it('give their cookie to the way back alone', async () => {
    await ann.submit(await ann.follow(page('github')), /^connect$/i, {}, { stopAt: github.issuer })
    const answer = await ann.request(page('github'), {
      method: 'POST',
      body: new URLSearchParams(formOf(await ann.follow(page('github')))),
      headers: OURS(),
    })
    const cookie = answer.headers.getSetCookie().find((line) => /^(?:__Secure-)?portcullis-connect=/.test(line)) ?? ''
    expect(cookie).toContain('Path=/connections/callback')
    expect(cookie).toContain('HttpOnly')
    expect(cookie).toContain('SameSite=Lax')
    expect(cookie).toContain('Max-Age=600')
  })
})

describe('a pasted secret', () => {
  it.each<[string, string]>([
    ['nothing', '   '],
    ['a line break', 'one\r\nX-Injected: yes'],
    ['what a header cannot hold', 'sécret'],
    ['far too much', 'x'.repeat(8193)],
    [
      'a token that has ended',
      `${Buffer.from('{}').toString('base64url')}.${Buffer.from('{"exp":1}').toString('base64url')}.x`,
    ],
  ])('that is %s is refused with words, and not shown again', async (_, secret) => {
    const refused = await ann.submit(await ann.follow(page('notes')), /^connect$/i, { secret })
    expect(refused.status).toBe(422)
    if (secret.trim() !== '') expect(refused.html).not.toContain(secret.slice(0, 12))
    expect(await isConnected(ann, 'notes')).toBe(false)
    expect((await ann.submit(refused, /^connect$/i, { secret: CANARY })).status).toBe(200)
  })

  it('is in no log, record, page or address', async () => {
    const token = await gateway.tokenFor('notes', { user: ann })
    await ann.submit(await ann.follow(await linkOf(ann)), /^connect$/i, { secret: CANARY })
    const { body } = await callTool(gateway.resource('notes'), token, 'whoami')
    expect(body['result']).toMatchObject({ content: [{ text: 'ann at notes' }] })
    const everything = JSON.stringify([
      gateway.log,
      await gateway.audit(),
      await gateway.metrics(),
      await listOf(ann),
      ann.visited,
    ])
    expect(everything).toContain('ann')
    expect(everything).not.toContain(CANARY)
  })
})
