import { beforeEach, describe, expect, it } from 'vitest'
import { proxy } from '../config/auth-proxy.ts'
import type { Principal } from '../protocol/principal.ts'
import { emailMatcher } from './admission.ts'
import { identityHeadersOf } from './edge-headers.ts'
import { headerReader } from './proxy-header.ts'
import { type Named, proxyWay, whyNobody } from './proxy-way.ts'
import { createVouching } from './vouched.ts'
import type { Credentials } from './way.ts'

type Fields = Readonly<Record<string, string | readonly string[]>>

const knock = (fields: Fields, trusted = true): Credentials => ({
  field: (name) => [fields[name] ?? []].flat(),
  query: '',
  address: '192.0.2.1',
  transport: { trusted, peer: '192.0.2.1', certificate: () => undefined },
})
const USER = 'x-authenticated-user'

const read = (config: Parameters<typeof proxy.parse>[0], fields: Fields): Named | undefined => {
  const parsed = proxy.parse(config)
  return headerReader(identityHeadersOf(parsed), parsed.groupsSeparator).read(knock(fields))
}
const refusal = (reason: string) => expect.objectContaining({ code: 'invalid_request', status: 400, reason })

describe('the user header', () => {
  it.each([
    ['john.doe', 'john.doe', undefined],
    ['  john.doe ', 'john.doe', undefined],
    ['John Doe', 'John Doe', undefined],
    ['John.Doe@Example.com', 'john.doe@example.com', 'john.doe@example.com'],
    ['1234', '1234', undefined],
    ['eyre', 'eyre', undefined],
    ['ewald@corp.example', 'ewald@corp.example', 'ewald@corp.example'],
  ])('%j names %j', (value, identity, email) => {
    expect(read({}, { [USER]: value })).toEqual({ identity, email, name: undefined, groups: [] })
  })

  it.each([{}, { [USER]: '' }, { [USER]: '   ' }, { 'x-user': 'john' }])('%j names nobody', (fields) => {
    expect(read({}, fields)).toBeUndefined()
  })

  const payload = Buffer.from('{"sub":"john","iss":"https://accounts.google.com"}')
  it.each<[string, string | readonly string[], string]>([
    ['two lines', ['john', 'root'], 'identity_header_repeated'],
    ['the same line twice', ['john', 'john'], 'identity_header_repeated'],
    ['a line beside an empty one', ['john', ''], 'identity_header_repeated'],
    ['a list', 'john,root', 'identity_header_list'],
    ['a list with nothing behind', 'john,', 'identity_header_list'],
    ['more than a name', 'j'.repeat(257), 'identity_header_list'],
    ['a byte beyond ASCII', 'j\u00f6hn', 'identity_header_illegal'],
    ['a space that is none', '\u00a0root', 'identity_header_illegal'],
    ['NEL before it', '\u0085root', 'identity_header_illegal'],
    ['a tab', 'jo\thn', 'identity_header_illegal'],
    ['DEL', 'john\u007f', 'identity_header_illegal'],
    ['Istio’s payload', payload.toString('base64'), 'identity_header_encoded'],
    ['the same in base64url', payload.toString('base64url'), 'identity_header_encoded'],
    ['indented claims', Buffer.from('{\n "sub": "john" }').toString('base64'), 'identity_header_encoded'],
    ['a token', `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.e30.c2ln`, 'identity_header_encoded'],
  ])('is refused: %s', (_what, value, reason) => {
    expect(() => read({}, { [USER]: value })).toThrow(refusal(reason))
  })
})

describe('what stands beside it', () => {
  const config = { userHeader: 'X-User', emailHeader: 'X-Mail', nameHeader: 'X-Name', groupsHeader: 'X-Groups' }
  const ann = (fields: Fields) => read(config, { 'x-user': 'ann', ...fields })

  it('is e-mail, name and groups', () => {
    const fields = { 'x-mail': 'Ann@Corp.example', 'x-name': 'Ann Smith', 'x-groups': 'eng, ops,, eng ,a b' }
    expect(ann(fields)).toEqual({
      identity: 'ann',
      email: 'ann@corp.example',
      name: 'Ann Smith',
      groups: ['eng', 'ops', 'a b'],
    })
    expect(ann({})).toEqual({ identity: 'ann', email: undefined, name: undefined, groups: [] })
  })

  it('names nobody by itself', () => {
    expect(read(config, { 'x-mail': 'ann@corp.example', 'x-groups': 'eng' })).toBeUndefined()
  })

  it('an address that is none is no address, not even where the user header has one', () => {
    expect(ann({ 'x-mail': 'ann' })?.email).toBeUndefined()
    expect(read(config, { 'x-user': 'ann@corp.example', 'x-mail': 'nobody' })?.email).toBeUndefined()
  })

  it('groups may be separated otherwise', () => {
    const piped = { ...config, groupsSeparator: '|' }
    expect(read(piped, { 'x-user': 'ann', 'x-groups': 'a,b | c' })?.groups).toEqual(['a,b', 'c'])
  })

  it('a display name is UTF-8, and is only shown', () => {
    const bytes = Buffer.from('José \u202eGarcía').toString('latin1')
    expect(ann({ 'x-name': bytes })?.name).toBe('José García')
    expect(ann({ 'x-name': '\u00e9' })?.name).toBeUndefined()
  })

  it.each<[string, Fields, string]>([
    ['two addresses', { 'x-mail': ['ann@corp.example', 'bob@corp.example'] }, 'identity_header_repeated'],
    ['a list of addresses', { 'x-mail': 'ann@corp.example, bob@corp.example' }, 'identity_header_list'],
    ['two lines of groups', { 'x-groups': ['eng', 'admin'] }, 'identity_header_repeated'],
    ['a group beyond ASCII', { 'x-groups': 'Gesch\u00e4ft' }, 'identity_header_illegal'],
    ['a group without end', { 'x-groups': 'g'.repeat(257) }, 'groups_header_long'],
    ['groups without end', { 'x-groups': Array.from({ length: 1001 }, (_, at) => at).join() }, 'groups_header_long'],
    ['two names', { 'x-name': ['Ann', 'Bob'] }, 'identity_header_repeated'],
  ])('is refused: %s', (_what, fields, reason) => {
    expect(() => ann(fields)).toThrow(refusal(reason))
  })
})

describe('presets', () => {
  const forwarded = { 'x-forwarded-user': '108', 'x-forwarded-email': 'ann@corp.example', 'x-forwarded-groups': 'eng' }
  const asked = { 'x-auth-request-user': '108', 'x-auth-request-email': 'ann@corp.example' }
  const preset = 'oauth2-proxy'

  it('oauth2-proxy: either family, both where they agree, neither where they differ', () => {
    expect(read({ preset }, forwarded)).toMatchObject({ identity: '108', email: 'ann@corp.example', groups: ['eng'] })
    expect(read({ preset }, asked)).toMatchObject({ identity: '108', email: 'ann@corp.example' })
    const both = { ...forwarded, ...asked, 'x-auth-request-groups': 'eng' }
    expect(read({ preset }, both)).toMatchObject({ identity: '108', groups: ['eng'] })
    for (const other of [
      { 'x-auth-request-user': 'root' },
      { 'x-auth-request-email': 'root@corp.example' },
      { 'x-auth-request-groups': 'eng,admin' },
      { 'x-auth-request-groups': '' },
    ])
      expect(() => read({ preset }, { ...both, ...other })).toThrow(refusal('identity_headers_differ'))
  })

  it('oauth2-proxy: pinned, the other family is nobody’s word', () => {
    const pinned = { preset, userHeader: 'X-Forwarded-User' }
    expect(read(pinned, { ...forwarded, 'x-auth-request-user': 'root' })).toMatchObject({ identity: '108' })
    expect(read(pinned, { 'x-auth-request-user': 'root' })).toBeUndefined()
  })

  it('Kong: its anonymous consumer is nobody, and groups are those of a field that the operator names', () => {
    const forged = { 'x-authenticated-groups': 'admin', 'x-consumer-groups': 'a, b' }
    const consumer = { 'x-consumer-username': 'guest', ...forged }
    expect(read({ preset: 'kong' }, consumer)).toMatchObject({ identity: 'guest', groups: [] })
    const named = { preset: 'kong', groupsHeader: 'X-Consumer-Groups' } as const
    expect(read(named, consumer)).toMatchObject({ identity: 'guest', groups: ['a', 'b'] })
    expect(read(named, { ...consumer, 'x-anonymous-consumer': 'true' })).toBeUndefined()
  })

  it('Authelia and Tailscale', () => {
    const remote = { 'remote-user': 'ann', 'remote-email': 'ann@corp.example', 'remote-groups': 'eng,ops' }
    expect(read({ preset: 'authelia' }, remote)).toMatchObject({ identity: 'ann', groups: ['eng', 'ops'] })
    const serve = { 'tailscale-user-login': 'ann@corp.example', 'tailscale-user-name': '=?utf-8?q?Kr=C5=ABmi=C5=86a?=' }
    expect(read({ preset: 'tailscale' }, serve)).toEqual({
      identity: 'ann@corp.example',
      email: 'ann@corp.example',
      name: 'Krūmiņa',
      groups: [],
    })
  })
})

describe('the way', () => {
  let disabled: boolean
  let ignored: string[]
  beforeEach(() => {
    disabled = false
    ignored = []
  })
  const { admit } = createVouching({
    findByIdentity: async (issuer, identity) =>
      identity === 'known'
        ? {
            id: 'usr_1',
            issuer,
            identity,
            email: undefined,
            emailVerified: false,
            name: undefined,
            groups: [],
            roles: [],
            teams: [],
            administrator: false,
            disabled,
            passwordHash: undefined,
            createdAt: 0,
            updatedAt: 0,
          }
        : undefined,
    resolveRoles: ({ id, groups }) => [`${id}/${groups.join()}`],
    // Never the same moment twice: nothing is fresh.
    clock: (
      (at) => () =>
        (at += 10_000)
    )(0),
  })
  const way = (allowedEmails: string[] = []) =>
    proxyWay({
      reader: headerReader(identityHeadersOf(proxy.parse({ groupsHeader: 'X-Groups' })), ','),
      issuer: 'proxy',
      admit,
      isEmailAdmitted: emailMatcher(allowedEmails),
      onUntrusted: (peer) => void ignored.push(peer),
    })
  const WANTED = { server: 'a', resources: [] }
  const knocks = async (fields: Fields, { trusted = true, allowedEmails = [] as string[] } = {}) =>
    way(allowedEmails)(knock(fields, trusted), WANTED)

  it('makes a principal', async () => {
    const expected: Partial<Principal> = {
      kind: 'person',
      subject: 'proxy|ann@corp.example',
      issuer: 'proxy',
      identity: 'ann@corp.example',
      email: 'ann@corp.example',
      groups: ['eng'],
      roles: ['proxy|ann@corp.example/eng'],
      method: 'proxy',
      scopeRule: 'none',
      client: undefined,
      expiresAt: undefined,
    }
    expect(await knocks({ [USER]: 'ann@corp.example', 'x-groups': 'eng' })).toMatchObject(expected)
    expect(await knocks({ [USER]: 'known' })).toMatchObject({ subject: 'usr_1', identity: 'known' })
  })

  it('refuses an account that was disabled, and an address that is not admitted', async () => {
    const allowedEmails = ['*@corp.example']
    expect(await knocks({ [USER]: 'ann@corp.example' }, { allowedEmails })).toMatchObject({ kind: 'person' })
    for (const user of ['ann@evil.example', 'ann'])
      await expect(knocks({ [USER]: user }, { allowedEmails })).rejects.toMatchObject({
        status: 403,
        reason: 'not_admitted',
      })
    disabled = true
    await expect(knocks({ [USER]: 'known' })).rejects.toMatchObject({ reason: 'account_disabled' })
  })

  it('believes nobody else, whatever they write, and tells whose word was ignored', async () => {
    for (const value of ['root', ['root', 'root'], 'a,b', '\u0085'])
      expect(await knocks({ [USER]: value }, { trusted: false })).toBeUndefined()
    expect(ignored).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1'])
    ignored = []
    expect(await knocks({}, { trusted: false })).toBeUndefined()
    expect(await knocks({})).toBeUndefined()
    expect(ignored).toEqual([])
  })

  it('says why there is nobody', () => {
    expect(whyNobody([USER], knock({}))).toBe('proxy_header_missing')
    expect(whyNobody([USER], knock({ [USER]: 'root' }, false))).toBe('proxy_header_untrusted')
    expect(whyNobody([USER], knock({}, false))).toBe('no_credential')
  })
})
