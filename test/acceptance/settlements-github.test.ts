// Settlement "GitHub": a provider of its own kind (OAuth, not OpenID Connect). The verified primary e-mail, organisations and teams
// as groups.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { registerClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { GITHUB_APP, type Github, type GithubAccount, startGithub } from '../support/github.ts'
import { callTool } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'

const ANN: GithubAccount = {
  id: 1001,
  login: 'ann',
  name: 'Ann',
  emails: [
    { email: 'ann@private.example', primary: false, verified: true },
    { email: 'Ann@corp.example', primary: true, verified: true },
  ],
  organisations: ['Acme'],
  teams: ['Acme/data'],
}

let canary: Canary
let github: Github
let gateway: TestGateway
beforeAll(async () => {
  canary = await startCanary()
  github = await startGithub(ANN)
  gateway = await startGateway({
    servers: [{ id: 'canary', url: canary.url }],
    identity: {
      providers: [{ id: 'github', type: 'github', issuer: github.url, api: github.api, ...GITHUB_APP }],
      allowedEmails: ['*@corp.example'],
    },
    policy: {
      rules: [
        { id: 'team', allow: ['canary/write_note'], to: ['group:acme/data'] },
        { id: 'organisation', allow: ['canary/read_note'], to: ['group:acme'] },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await github?.close()
  await canary?.close()
})

const browser = () => createPerson({ username: 'nobody', password: 'none is asked for', provider: /github/i })

/** The whole way, as whoever sits at GitHub; answers what may be called. */
async function signIn(account: GithubAccount) {
  github.account = account
  const client = await registerClient(gateway)
  const { accessToken } = await client.signIn(browser(), { resource: gateway.resource('canary'), scope: 'mcp:tools' })
  const { sub } = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString())
  const call = async (tool: string) => (await callTool(gateway.resource('canary'), accessToken, tool)).body
  const opens = async (tool: string) => 'result' in (await call(tool))
  return { subject: String(sub), opens }
}

/** What the person is shown instead. */
async function refusedPage(account: GithubAccount) {
  github.account = account
  const client = await registerClient(gateway)
  return browser().follow(client.authorize({ resource: gateway.resource('canary') }).url)
}

describe('GitHub', () => {
  it('signs a person in without an ID token: consent first, then GitHub, then the client', async () => {
    const { opens } = await signIn(ANN)
    expect([await opens('read_note'), await opens('write_note')]).toEqual([true, true])
    expect(github.asked.map((path) => path.split('?')[0])).toEqual(
      expect.arrayContaining(['/api/user', '/api/user/emails', '/api/user/orgs', '/api/user/teams']),
    )
  })

  it('vouches for the primary verified address, in the one spelling that is compared', async () => {
    await signIn(ANN)
    const events = await gateway.audit((all) => all.some((event) => event.kind === 'call'))
    const addresses = new Set(events.flatMap(({ email }) => email ?? []))
    expect(addresses).toEqual(new Set(['ann@corp.example']))
  })

  it.each([
    ['the primary one is not verified', [{ email: 'eve@corp.example', primary: true, verified: false }]],
    [
      'only a second one is in the company',
      [
        { email: 'eve@corp.example', primary: false, verified: true },
        { email: 'eve@elsewhere.example', primary: true, verified: true },
      ],
    ],
    ['there is none', []],
  ])('refuses a person where %s', async (_why, emails) => {
    const visit = await refusedPage({ id: 666, login: 'eve', emails, organisations: ['Acme'], teams: ['Acme/data'] })
    expect([visit.status, visit.location]).toEqual([403, undefined])
    const refusals = (await gateway.audit()).filter((event) => event.kind === 'act' && event.act === 'sign_in_refused')
    expect(refusals.at(-1)).toMatchObject({ decision: 'deny', reason: expect.stringMatching(/^[a-z_]+$/) })
  })

  it.each([
    ['of the organisation alone', { organisations: ['acme'], teams: ['acme/sales'] }, [true, false]],
    ['of a team of that name elsewhere', { organisations: ['evil'], teams: ['evil/data'] }, [false, false]],
    ['of an organisation that is called like the team', { organisations: ['data'], teams: [] }, [false, false]],
    ['of both', { organisations: ['ACME'], teams: ['ACME/Data'] }, [true, true]],
  ])('gives a member %s what the groups may call', async (who, membership, expected) => {
    const emails = [{ email: 'member@corp.example', primary: true, verified: true }]
    const { opens } = await signIn({ id: 5000 + who.length, login: 'member', emails, ...membership })
    expect([await opens('read_note'), await opens('write_note')]).toEqual(expected)
  })

  it('reads every page of the teams: the last of many counts like the first', async () => {
    const many = Array.from({ length: 120 }, (_, number) => `acme/team-${number}`)
    const emails = [{ email: 'busy@corp.example', primary: true, verified: true }]
    const { opens } = await signIn({ id: 7000, login: 'busy', emails, teams: [...many, 'acme/data'] })
    expect(await opens('write_note')).toBe(true)
  })

  it('knows an account by its number: a new login is the same person, an old login is not', async () => {
    const before = await signIn(ANN)
    const renamed = await signIn({ ...ANN, login: 'ann-lee' })
    const emails = [{ email: 'newcomer@corp.example', primary: true, verified: true }]
    const newcomer = await signIn({ id: 1002, login: 'ann', emails, organisations: ['Acme'] })
    expect(renamed.subject).toBe(before.subject)
    expect(newcomer.subject).not.toBe(before.subject)
  })

  it('keeps its tokens and secret to itself: none goes to the client, upstream, or into the log', async () => {
    await signIn(ANN)
    expect(github.tokens.length).toBeGreaterThan(0)
    const sent = canary.requests.map(({ rawHeaders, body }) => `${rawHeaders.join(' ')} ${body}`).join('\n')
    const told = [sent, ...gateway.log, JSON.stringify(await gateway.audit())].join('\n')
    for (const secret of [...github.tokens, GITHUB_APP.clientSecret])
      expect([secret, told.includes(secret)]).toEqual([secret, false])
  })
})
