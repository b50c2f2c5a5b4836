// ext_authz over gRPC: what of Envoy's question counts, and every part of the answer. Asked by grpc-js.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority } from '../support/authority.ts'
import { startCommand } from '../support/cli.ts'
import { answerOf, type EnvoyRange, HOST, startEnvoyRange } from '../support/envoy-range.ts'
import { askOverGrpc, type CheckAnswer, type Question } from '../support/ext-authz.ts'
import { APP, GATE } from '../support/forward-range.ts'
import { freePort } from '../support/upstream.ts'

const AGENT = 'spiffe://cluster.local/ns/team/sa/agent'

let range: EnvoyRange
let token: string
beforeAll(async () => {
  range = await startEnvoyRange({
    server: { trustedProxies: ['127.0.0.1', '10.0.0.0/8'] },
    auth: { mtls: { identity: 'san-uri', allow: [AGENT] } },
  })
  token = await range.tokenFor()
})
afterAll(() => range.close())

const check = (more: Partial<Question> = {}, http: Question['http'] = {}): Promise<CheckAnswer> =>
  range.asking.check({
    ...more,
    http: {
      method: 'GET',
      path: '/',
      host: HOST,
      scheme: 'https',
      headers: { authorization: `Bearer ${token}` },
      ...http,
    },
  })
const recorded = async (id: string) => {
  const events = await range.gateway.audit((all) => all.some((event) => event.id === id))
  return events.find((event) => event.id === id)
}
const idOf = ({ dynamic_metadata: { fields } }: CheckAnswer) => fields['request_id']?.stringValue ?? ''

describe('an answer', () => {
  it('that passes: OK, what is known overwritten, what is not removed, and which record it is', async () => {
    const answer = await check()
    expect([answer.status.code, answer.http_response]).toEqual([0, 'ok_response'])
    const { headers = [], headers_to_remove: removed = [] } = answer.ok_response ?? {}
    const set = Object.fromEntries(headers.map(({ header }) => [header.key, header.value]))
    expect(set).toMatchObject({
      'x-forwarded-user': 'ann@example.com',
      'x-forwarded-groups': 'engineering',
      'x-forwarded-auth-method': 'access_token',
    })
    expect(new Set(headers.map(({ append, append_action }) => [append, append_action].join()))).toEqual(
      new Set([',OVERWRITE_IF_EXISTS_OR_ADD']),
    )
    expect(removed).toEqual(expect.arrayContaining(['x-forwarded-teams', 'x-forwarded-org']))
    expect(removed.filter((name) => name in set)).toEqual([])
    const { fields } = answer.dynamic_metadata
    expect(fields['reason']?.stringValue).toBe('allowed')
    const event = await recorded(idOf(answer))
    expect(event).toMatchObject({ decision: 'allow', server: HOST, name: '/', subject: fields['subject']?.stringValue })
  })

  it('that asks for a credential: UNAUTHENTICATED, 401 with the challenge', async () => {
    const answer = await check({}, { headers: {} })
    expect(answer.status.code).toBe(16)
    const { status, told, body } = answerOf(answer, {})
    expect(status).toBe(401)
    expect(told['www-authenticate']).toMatch(/^Bearer resource_metadata="/)
    expect(told).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-request-id': idOf(answer),
    })
    expect(JSON.parse(body)).toEqual({ error: 'Unauthorized', message: 'Authentication required.' })
    expect(told['content-length']).toBeUndefined()
  })

  it('that refuses: PERMISSION_DENIED, 403', async () => {
    const answer = await check({}, { host: 'unknown.example.com' })
    expect([answer.status.code, answerOf(answer, {}).status]).toEqual([7, 403])
    expect(answer.dynamic_metadata.fields['reason']?.stringValue).toBe('unknown_host')
  })

  it('that sends a browser away: 302, with its cookie added to others', async () => {
    const page = { accept: 'text/html', 'sec-fetch-mode': 'navigate' }
    const answer = await check({}, { headers: page })
    const denied = answer.denied_response
    expect([answer.status.code, denied?.status.code]).toEqual([16, 302])
    const { told } = answerOf(answer, {})
    expect(told['location']).toMatch(new RegExp(`^${GATE}/auth/sign-in`))
    const cookie = denied?.headers.find(({ header }) => header.key === 'set-cookie')
    // A second one must not replace the first.
    expect(cookie?.append).toEqual({ value: true })
    expect(denied?.headers.filter(({ append }) => append !== null)).toHaveLength(1)
  })
})

describe('the address of the caller', () => {
  it.each([
    ['Envoy’s own client', '203.0.113.9', {}, '203.0.113.9'],
    ['whatever that one claims', '203.0.113.9', { 'x-forwarded-for': '10.1.1.1, 198.51.100.7' }, '203.0.113.9'],
    [
      'whom a trusted balancer names',
      '10.0.0.7',
      { 'x-forwarded-for': '127.0.0.1, 198.51.100.7,10.0.0.7' },
      '198.51.100.7',
    ],
    ['a trusted balancer that names nobody', '10.0.0.7', {}, '10.0.0.7'],
  ])('is %s', async (_what, address, headers, expected) => {
    const answer = await check({ source: { address } }, { headers: { ...headers, authorization: `Bearer ${token}` } })
    expect(await recorded(idOf(answer))).toMatchObject({ address: expected })
  })
})

describe('the certificate that Envoy verified', () => {
  const authority = createAuthority('Callers')
  const shown = (uri: string) => encodeURIComponent(authority.issue({ sans: { uri: [uri] }, usage: 'client' }).cert)
  const userOf = (answer: CheckAnswer) => answerOf(answer, {}).behind['x-forwarded-user-id']
  const as = (source: Question['source'], headers: Record<string, string> = {}) =>
    check({ ...(source && { source }) }, { headers })

  it('says who it is, by the certificate or by its SPIFFE id alone', async () => {
    for (const source of [{ certificate: shown(AGENT) }, { principal: AGENT }]) {
      const answer = await as(source)
      expect(answer.status.code).toBe(0)
      expect(answerOf(answer, {}).behind['x-forwarded-auth-method']).toBe('certificate')
      expect(userOf(answer)).toContain(AGENT)
    }
  })

  it.each([
    ['nobody', {}, 401],
    ['another id', { principal: 'spiffe://cluster.local/ns/other/sa/agent' }, 403],
    ['a certificate of another', { certificate: shown('spiffe://cluster.local/ns/other/sa/agent') }, 403],
    ['the certificate counts before the name', { certificate: shown('spiffe://x/y'), principal: AGENT }, 403],
    ['a name that is no SPIFFE id', { principal: 'CN=agent' }, 401],
    ['a URI that is no SPIFFE id', { principal: 'https://accounts.example.com/agent' }, 401],
    ['an id in another spelling', { principal: `${AGENT}/` }, 401],
    ['garbage', { certificate: 'garbage' }, 401],
  ])('%s: %d', async (_what, source, status) => {
    expect(answerOf(await as(source), {}).status).toBe(status)
  })

  it('beside a token it is only recorded; a bad token is not made good by it', async () => {
    const answer = await as({ principal: AGENT }, { authorization: `Bearer ${token}` })
    expect(answerOf(answer, {}).behind['x-forwarded-user']).toBe('ann@example.com')
    expect(answerOf(await as({ principal: AGENT }, { authorization: 'Bearer x' }), {}).status).toBe(401)
  })
})

describe('context_extensions of a virtual host', () => {
  it('name the host that people know', async () => {
    const internal = { host: 'app.internal:8080' }
    expect(answerOf(await check({}, internal), {}).status).toBe(403)
    expect(answerOf(await check({ context_extensions: { resource: APP } }, internal), {}).status).toBe(200)
    // The token is for that one, and for no other.
    const other = { context_extensions: { resource: 'https://other.example.com' } }
    expect(answerOf(await check(other, internal), {}).status).toBe(403)
  })

  it.each(['app.example.com', `${APP}/mcp`, 'ftp://app.example.com', ''])(
    'that are no scheme and host: %j',
    async (resource) => {
      expect(answerOf(await check({ context_extensions: { resource } }), {}).status).toBe(400)
    },
  )

  it('of other names mean nothing', async () => {
    expect(answerOf(await check({ context_extensions: { host: 'evil.example' } }), {}).status).toBe(200)
  })
})

describe('the program', () => {
  it('serves on the configured port, through a change of its file, and names what is in its way', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portcullis-grpc-'))
    const [port, grpc] = [await freePort(), await freePort()]
    const file = join(folder, 'portcullis.yaml')
    const write = (host: string, at = grpc) =>
      writeFileSync(
        file,
        `server: { listen: "127.0.0.1:${port}" }\nforwardAuth: { grpc: "127.0.0.1:${at}", resources: [ { host: ${host} } ] }\n`,
      )
    write('one.example.com')
    const command = startCommand(['serve', '--config', file], { cwd: folder })
    await command.says(/is ready/)
    const asking = askOverGrpc(grpc)
    const statusOf = async (host: string) =>
      answerOf(await asking.check({ http: { method: 'GET', path: '/', host, headers: {} } }), {}).status
    expect([await statusOf('one.example.com'), await statusOf('two.example.com')]).toEqual([401, 403])
    write('two.example.com')
    await command.says(/the new configuration is in force/)
    expect([await statusOf('one.example.com'), await statusOf('two.example.com')]).toEqual([403, 401])
    write('two.example.com', await freePort())
    await command.says(/forwardAuth\.grpc changed\. That needs a restart/)
    expect(await statusOf('two.example.com')).toBe(401)
    write('two.example.com')
    const second = startCommand(['serve', '--config', file, '--listen', '127.0.0.1:0'], {
      cwd: mkdtempSync(join(folder, 'x')),
    })
    await second.says(/Cannot listen on 127\.0\.0\.1:\d+ for gRPC \(EADDRINUSE\)/)
    await second.stop()
    asking.close()
    await command.stop()
    rmSync(folder, { recursive: true, force: true })
  })
})
