// RFC 6750, Bearer Token Usage: how a token is sent, and how a refusal is told.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Range, type Shot, shoot, startRange } from '../support/range.ts'

const PATH = '/servers/canary/mcp'

let range: Range
/** Of ann, without a scope that the server wants. */
let narrow: string
beforeAll(async () => {
  range = await startRange({
    scopes: {
      'mcp:tools': { title: 'Call tools', covers: ['*/*'] },
      profile_only: { title: 'Nothing here', covers: ['canary/nothing'] },
    },
    oauth: { requiredScopes: ['mcp:tools'] },
  })
  narrow = await range.gateway.tokenFor('canary', { scope: 'profile_only' })
})
afterAll(() => range?.close())

const withAuthorization = (value: string | undefined, shot: Shot = {}): Shot => ({
  ...shot,
  bend: { ...shot.bend, Authorization: value },
})

/** Auth-params of a Bearer challenge, by name, as often as they come. */
function parseChallenge(header: string | undefined): Map<string, string[]> {
  const [, parameters = ''] = /^Bearer (.+)$/.exec(header ?? '') ?? []
  const found = new Map<string, string[]>()
  for (const [, name = '', value = ''] of parameters.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"(?:, |$)/g))
    found.set(name, [...(found.get(name) ?? []), value])
  return found
}

const CASES: readonly { name: string; shot: () => Shot; status: number; error: string | undefined }[] = [
  { name: 'no credential', shot: () => withAuthorization(undefined), status: 401, error: undefined },
  { name: 'a bad token', shot: () => withAuthorization('Bearer rubbish'), status: 401, error: 'invalid_token' },
  { name: 'a malformed one', shot: () => withAuthorization('Bearer two tokens'), status: 401, error: 'invalid_token' },
  {
    name: 'a token in the query',
    shot: () => withAuthorization(undefined, { target: `${PATH}?access_token=${range.token}` }),
    status: 400,
    error: 'invalid_request',
  },
  {
    name: 'a token without the scope',
    shot: () => withAuthorization(`Bearer ${narrow}`),
    status: 403,
    error: 'insufficient_scope',
  },
]

describe('RFC 6750 §2: a token', () => {
  it('§2.1: MUST be taken from the Authorization header', async () => {
    expect((await shoot(range, withAuthorization(`Bearer ${range.token}`))).status).toBe(200)
  })

  it.each(['bearer', 'BEARER', 'BeArEr'])('the scheme is case-insensitive (RFC 9110 §11.1): %s', async (scheme) => {
    expect((await shoot(range, withAuthorization(`${scheme} ${range.token}`))).status).toBe(200)
  })

  it.each([
    'Bearer',
    'Bearer ',
    'Bearer  TOKEN',
    'Bearer TOKEN,TOKEN',
    'Bearer=TOKEN',
    'Bearer "TOKEN"',
    'Basic TOKEN',
    'TOKEN',
  ])('§2.1: b64token after one space, nothing else: %s', async (value) => {
    const before = range.canary.requests.length
    const answer = await shoot(range, withAuthorization(value.replaceAll('TOKEN', range.token)))
    expect([answer.status, range.canary.requests.length]).toEqual([401, before])
  })

  it('§2: clients MUST NOT use more than one method in a request: refused, not chosen from', async () => {
    const before = range.canary.requests.length
    const answer = await shoot(range, { target: `${PATH}?access_token=${range.token}` })
    expect([answer.status, range.canary.requests.length]).toEqual([400, before])
    expect(parseChallenge(answer.header('www-authenticate')).get('error')).toEqual(['invalid_request'])
  })

  it('§2.2: is not taken from a form', async () => {
    const bend = { Authorization: undefined, 'Content-Type': 'application/x-www-form-urlencoded' }
    const answer = await shoot(range, { bend, body: `access_token=${range.token}` })
    expect(answer.status).toBe(401)
  })
})

describe.each(CASES)('RFC 6750 §3: the answer to $name', ({ shot, status, error }) => {
  it(`§3.1: is ${status}${error === undefined ? '' : ` with ${error}`}`, async () => {
    const before = range.canary.requests.length
    const answer = await shoot(range, shot())
    expect([answer.status, range.canary.requests.length]).toEqual([status, before])
    // §3.1: a request that lacks any authentication information SHOULD NOT be told an error code.
    expect(parseChallenge(answer.header('www-authenticate')).get('error')).toEqual(
      error === undefined ? undefined : [error],
    )
  })

  it('MUST include WWW-Authenticate with the scheme Bearer and one or more auth-params', async () => {
    const header = (await shoot(range, shot())).header('www-authenticate')
    expect(header).toMatch(/^Bearer ([a-z_]+="(?:[^"\\]|\\.)*")(, [a-z_]+="(?:[^"\\]|\\.)*")*$/)
    expect(parseChallenge(header).size).toBeGreaterThan(0)
  })

  it('MUST NOT repeat realm, scope, error, error_description or error_uri', async () => {
    for (const [name, values] of parseChallenge((await shoot(range, shot())).header('www-authenticate')))
      expect([name, values.length]).toEqual([name, 1])
  })

  it('MUST keep to the characters of each value', async () => {
    const challenge = parseChallenge((await shoot(range, shot())).header('www-authenticate'))
    const keepsTo = (name: string, characters: RegExp) =>
      expect([name, challenge.get(name)?.[0] ?? 'ok']).toEqual([name, expect.stringMatching(characters)])
    keepsTo('error', /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
    keepsTo('error_description', /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
    // Scope tokens, each of %x21 / %x23-5B / %x5D-7E, one space between two.
    keepsTo('scope', /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/)
  })

  it('says nothing of the token, and is kept by no cache', async () => {
    const answer = await shoot(range, shot())
    const told = JSON.stringify([answer.header('www-authenticate'), answer.body.toString()])
    for (const token of [range.token, narrow, 'rubbish']) expect(told).not.toContain(token)
    expect(answer.header('cache-control')).toBe('no-store')
  })
})

describe('RFC 6750 §3.1: insufficient_scope', () => {
  it('MAY name the scope that is necessary: ours does, and with it the call is served', async () => {
    const refused = await shoot(range, withAuthorization(`Bearer ${narrow}`))
    const [scope = ''] = parseChallenge(refused.header('www-authenticate')).get('scope') ?? []
    expect(scope.split(' ')).toContain('mcp:tools')
    const wider = await range.gateway.tokenFor('canary', { scope })
    expect((await shoot(range, withAuthorization(`Bearer ${wider}`))).status).toBe(200)
  })
})
