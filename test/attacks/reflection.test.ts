// Words of others on our error pages, security catalogue A23: they are shown as words, cut short, under a policy that runs nothing
// (OpenID Connect Core §3.1.2.6, RFC 6749 §4.1.2.1).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient, type TestClient } from '../support/client.ts'
import {
  answerOf,
  departFor,
  expectLocalPage,
  expectRefused,
  type FederatedRange,
  GOOD,
  SCOPE,
  type Seen,
  seenOf,
  send,
  startFederatedRange,
} from '../support/oauth-range.ts'
import { createPerson, type Person } from '../support/person.ts'
import { attackTable } from '../support/range.ts'

let range: FederatedRange
let client: TestClient

beforeAll(async () => {
  range = await startFederatedRange()
  client = await registerClient(range.gateway, { redirectUris: [GOOD] })
})
afterAll(async () => {
  await range?.close()
})

const WORDS = [
  { id: 'a script', text: '<script>alert(1)</script>' },
  { id: 'an image', text: '<img src=x onerror=alert(1)>' },
  { id: 'a closing tag', text: '</p></main><form action=https://evil.example/>' },
  { id: 'a quote', text: `"'><svg onload=alert(1)>` },
  { id: 'CR and LF', text: 'x\r\nSet-Cookie: stolen=1\r\n\r\n<script>alert(1)</script>' },
  { id: 'an encoded script', text: '&lt;script&gt;&#x3c;script&#x3e;' },
  { id: 'direction override', text: 'safe \u{202e}evil' },
  { id: 'very long', text: 'A'.repeat(1500) },
] as const

/** A page of ours that shows somebody else's words shows them as words. */
function expectHarmless({ headers, html }: Seen): void {
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(headers.get('content-security-policy')).not.toContain('unsafe')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.getSetCookie().join()).not.toContain('stolen')
  expect(html).not.toMatch(/<script|<svg|onerror=alert\(1\)>|<img src=x|<form action|\u{202e}/u)
  expect(html.length).toBeLessThan(5000)
}

describe('A23: what the identity provider says of an error', () => {
  /** A sign-in that left for the provider; its answer is the attacker's to write. */
  async function departed(): Promise<{ person: Person; state: string }> {
    const person = createPerson({ username: 'cara', password: 'any' })
    const { url } = client.authorize({ resource: range.resource, scope: SCOPE })
    const state = (await departFor(person, url)).searchParams.get('state') ?? ''
    expect(state.length).toBeGreaterThan(20)
    return { person, state }
  }

  const answerWith = async (person: Person, parameters: Record<string, string>): Promise<Seen> => {
    const query = new URLSearchParams({ iss: range.idp.issuer, ...parameters })
    return seenOf(await person.request(`${range.gateway.url}/callback/corp?${query}`))
  }

  attackTable('A23: with a sign-in under way', WORDS, async ({ text }) => {
    for (const error of ['invalid_request', 'login_required']) {
      const { person, state } = await departed()
      const said = { error, error_description: text, state }
      const seen = await expectRefused(range, 'idp_error', () => answerWith(person, said))
      expect(seen.location).toBeUndefined()
      expectHarmless(seen)
    }
    // What the provider calls its own failure is an outage to us, and told in our words only.
    const { person, state } = await departed()
    const outage = await answerWith(person, { error: 'server_error', error_description: text, state })
    expect({ status: outage.status, told: outage.html.includes('alert(1)') }).toEqual({ status: 503, told: false })
    expectHarmless(outage)
  })

  attackTable('A23: in the name of the error itself', WORDS, async ({ text }) => {
    const { person, state } = await departed()
    const seen = await expectRefused(range, 'idp_error', () => answerWith(person, { error: text, state }))
    expectHarmless(seen)
  })

  attackTable('A23: out of the blue', WORDS, async ({ text }) => {
    const person = createPerson({ username: 'cara', password: 'any' })
    const attack = () => answerWith(person, { error: text, error_description: text, state: text })
    const seen = await expectRefused(range, 'federation_state_unknown', attack)
    expect(seen.status).toBe(400)
    expectHarmless(seen)
    expectLocalPage(seen)
  })

  attackTable('A23: at the authorization endpoint', WORDS, async ({ text }) => {
    for (const bend of [{ client_id: text }, { redirect_uri: text }, { client_id: 'nobody', state: text }]) {
      const { url } = client.authorize({ resource: range.resource, scope: SCOPE, ...bend })
      const reason = 'client_id' in bend ? 'invalid_client' : 'invalid_redirect_uri'
      expectHarmless(await expectRefused(range, reason, () => send(url)))
    }
  })

  it('is shown in words, and the person may go on', async () => {
    const { person, state } = await departed()
    const said = { error: 'invalid_request', error_description: 'Your account is locked.', state }
    const seen = await answerWith(person, said)
    expect(seen.html).toContain('Corp answered: Your account is locked.')
    const cara = createPerson({ username: 'cara', password: 'any', provider: /corp/i })
    const { location } = await cara.follow(client.authorize({ resource: range.resource, scope: SCOPE }).url)
    expect(answerOf(location).has('code')).toBe(true)
    range.secrets.add(answerOf(location).get('code') ?? '')
  })
})
