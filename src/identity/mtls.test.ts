import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createAuthority, type Wish } from '../../test/support/authority.ts'
import { type MtlsConfig, mtls as schema } from '../config/auth.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import type { UserRecord } from '../store/durable.ts'
import { certificateWay } from './mtls.ts'
import { createVouching } from './vouched.ts'
import type { Credentials } from './way.ts'

const authority = createAuthority('Callers')
const AGENT = 'spiffe://example.org/agent'
const issue = (wish: Wish = { sans: { uri: [AGENT] } }) => authority.issue(wish).cert
const WANTED = { server: 'notes', resources: [] }

interface Knock {
  readonly trusted?: boolean
  readonly own?: string
  readonly fields?: Readonly<Record<string, readonly string[]>>
}

const credentials = ({ trusted = false, own, fields = {} }: Knock): Credentials => ({
  field: (name) => fields[name] ?? [],
  query: '',
  address: '192.0.2.1',
  transport: {
    trusted,
    peer: '192.0.2.1',
    certificate: () => (own === undefined ? undefined : new X509Certificate(own)),
  },
})

const told: string[] = []
function way(config: Partial<MtlsConfig> = {}, more: { emails?: readonly string[]; disabled?: string } = {}) {
  const { emails = [], disabled } = more
  const vouching = createVouching({
    findByIdentity: async (issuer, identity) =>
      identity === disabled ? ({ id: 'usr_1', issuer, identity, disabled: true } as UserRecord) : undefined,
    resolveRoles: ({ roles }) => roles,
    clock: Date.now,
  })
  return certificateWay({
    mtls: { ...schema.parse({}), ...config },
    admit: vouching.admit,
    isEmailAdmitted: (email) => emails.length === 0 || (email !== undefined && emails.includes(email)),
    clock: Date.now,
    onUntrusted: (peer) => void told.push(peer),
  })
}
const answer = async (ask: () => unknown): Promise<unknown> => {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof BearerError || error instanceof RequestError) return `${error.status} ${error.reason}`
    throw error
  }
}
const knock = (config: Partial<MtlsConfig>, shown: Knock, more = {}) =>
  answer(() => way(config, more)(credentials(shown), WANTED))

const encoded = (cert: string) => `Cert="${encodeURIComponent(cert)}"`
const xfcc = (...lines: string[]) => ({ 'x-forwarded-client-cert': lines })
const clientCert = (...certs: string[]) => ({
  'client-cert': certs.map((cert) => `:${new X509Certificate(cert).raw.toString('base64')}:`),
})

describe('the certificate of the connection', () => {
  it('names a machine, with the groups of the configuration, until it expires', async () => {
    const own = issue()
    expect(await knock({ groups: ['machines'] }, { own })).toMatchObject({
      kind: 'service',
      method: 'certificate',
      issuer: 'certificate',
      identity: AGENT,
      subject: `certificate|${AGENT}`,
      email: undefined,
      groups: ['machines'],
      scopeRule: 'none',
      expiresAt: new X509Certificate(own).validToDate.getTime(),
    })
  })
  it('names a person by a verified address', async () => {
    const own = issue({ sans: { email: ['Ann@example.org'] } })
    expect(await knock({ identity: 'san-email' }, { own })).toMatchObject({
      kind: 'person',
      email: 'ann@example.org',
      identity: 'ann@example.org',
    })
  })
  it('and none names nobody', async () => {
    expect(await knock({}, {})).toBeUndefined()
  })
  it.each<[string, Wish, string]>([
    ['it has expired since the handshake', { sans: { uri: [AGENT] }, from: -3, until: -1 }, '401 certificate_expired'],
    ['the clock was set back', { sans: { uri: [AGENT] }, from: 1, until: 2 }, '401 certificate_not_yet_valid'],
    ['it has no such name', { subject: 'ann' }, '401 certificate_name_missing'],
    ['it has two', { sans: { uri: [AGENT, 'spiffe://example.org/b'] } }, '401 certificate_name_ambiguous'],
  ])('is refused when %s', async (_what, wish, refusal) => {
    expect(await knock({}, { own: issue(wish) })).toBe(refusal)
    expect(await knock({}, { own: issue() })).toMatchObject({ identity: AGENT })
  })
  it('counts as long as its name is listed and its account is not disabled', async () => {
    const own = issue()
    expect(await knock({ allow: ['spiffe://example.org/*'] }, { own })).toMatchObject({ identity: AGENT })
    expect(await knock({ allow: ['spiffe://example.org/*/x'] }, { own })).toBe('403 not_admitted')
    expect(await knock({}, { own }, { disabled: AGENT })).toBe('401 account_disabled')
  })
  it('of a machine needs a list of names where a list of addresses admits people', async () => {
    const own = issue()
    const emails = ['ann@example.org']
    expect(await knock({}, { own }, { emails })).toBe('403 not_admitted')
    expect(await knock({ allow: ['spiffe://**'] }, { own }, { emails })).toBe('403 not_admitted')
    expect(await knock({ allow: [AGENT] }, { own }, { emails })).toMatchObject({ identity: AGENT })
  })
  it('of a person is held to the list of addresses, whatever the list of names says', async () => {
    const [ann, bob] = ['ann', 'bob'].map((name) => issue({ sans: { email: [`${name}@example.org`] } }))
    const config = { identity: 'san-email' as const, allow: ['*@example.org'] }
    const emails = ['ann@example.org']
    expect(await knock(config, { own: ann ?? '' }, { emails })).toMatchObject({ identity: 'ann@example.org' })
    expect(await knock(config, { own: bob ?? '' }, { emails })).toBe('403 not_admitted')
  })
  it('of a trusted proxy is the name of the proxy, never that of its caller', async () => {
    expect(await knock({}, { own: issue(), trusted: true })).toBeUndefined()
    expect(await knock({ header: 'xfcc' }, { own: issue(), trusted: true })).toBeUndefined()
  })
})

describe('what a trusted proxy says of its client', () => {
  const URI = `Hash=00;URI=${AGENT}`
  it.each<[string, Partial<MtlsConfig>, NonNullable<Knock['fields']>]>([
    ['names in X-Forwarded-Client-Cert', { header: 'xfcc' }, xfcc(URI)],
    ['a certificate in it', { header: 'xfcc' }, xfcc(`${encoded(issue())};URI=spiffe://example.org/other`)],
    ['RFC 9440', { header: 'client-cert' }, clientCert(issue())],
    ['the last element', { header: 'xfcc' }, xfcc(`Hash=00;URI=spiffe://example.org/forged,${URI}`)],
  ])('is believed: %s', async (_what, config, fields) => {
    expect(await knock(config, { trusted: true, fields })).toMatchObject({ identity: AGENT, method: 'certificate' })
  })

  it('and from anybody else it is not, nor does it hide their own certificate', async () => {
    told.length = 0
    const fields = xfcc('Hash=00;URI=spiffe://example.org/admin')
    expect(await knock({ header: 'xfcc' }, { fields })).toBeUndefined()
    expect(told).toEqual(['192.0.2.1'])
    expect(await knock({ header: 'xfcc' }, { fields, own: issue() })).toMatchObject({ identity: AGENT })
    expect(await knock({ header: 'client-cert' }, { fields: clientCert(issue()) })).toBeUndefined()
  })

  it('only in the field of the configuration', async () => {
    expect(await knock({}, { trusted: true, fields: xfcc(URI) })).toBeUndefined()
    expect(await knock({ header: 'client-cert' }, { trusted: true, fields: xfcc(URI) })).toBeUndefined()
    expect(await knock({ header: 'xfcc' }, { trusted: true, fields: clientCert(issue()) })).toBeUndefined()
  })

  it('that it had none: nobody', async () => {
    expect(await knock({ header: 'xfcc' }, { trusted: true, fields: xfcc('Cert=""') })).toBeUndefined()
    expect(await knock({ header: 'xfcc' }, { trusted: true })).toBeUndefined()
  })

  it('common name and subject are read as RFC 4514 writes them', async () => {
    const fields = xfcc('Hash=00;Subject="CN=ann,O=admin\\,CN=root"')
    expect(await knock({ header: 'xfcc', identity: 'subject-cn' }, { trusted: true, fields })).toMatchObject({
      identity: 'ann',
    })
    expect(await knock({ header: 'xfcc', identity: 'subject' }, { trusted: true, fields })).toMatchObject({
      identity: 'CN=ann,O=admin\\,CN=root',
    })
  })

  it.each<[string, Partial<MtlsConfig>, NonNullable<Knock['fields']>, string]>([
    ['two lines', { header: 'xfcc' }, xfcc(URI, URI), '400 certificate_header_repeated'],
    [
      'two lines of RFC 9440',
      { header: 'client-cert' },
      clientCert(issue(), issue()),
      '400 certificate_header_repeated',
    ],
    ['an element that cannot be read', { header: 'xfcc' }, xfcc('URI="x'), '400 certificate_header_malformed'],
    ['a certificate that cannot be read', { header: 'xfcc' }, xfcc('Cert="x"'), '400 certificate_header_malformed'],
    ['no byte sequence', { header: 'client-cert' }, { 'client-cert': ['x'] }, '400 certificate_header_malformed'],
    ['an empty line', { header: 'client-cert' }, { 'client-cert': [''] }, '400 certificate_header_malformed'],
    ['an element without a name', { header: 'xfcc' }, xfcc('Hash=00'), '401 certificate_name_missing'],
    ['two names', { header: 'xfcc' }, xfcc(`${URI};URI=spiffe://example.org/b`), '401 certificate_name_ambiguous'],
    [
      'a subject in the old spelling with slashes',
      { header: 'xfcc', identity: 'subject-cn' },
      xfcc('Hash=00;Subject="/O=x/CN=admin"'),
      '401 certificate_name_missing',
    ],
    [
      'an expired certificate',
      { header: 'client-cert' },
      clientCert(issue({ sans: { uri: [AGENT] }, from: -3, until: -1 })),
      '401 certificate_expired',
    ],
    [
      'one for servers',
      { header: 'xfcc' },
      xfcc(encoded(issue({ sans: { uri: [AGENT] }, usage: 'server' }))),
      '401 certificate_wrong_usage',
    ],
  ])('is refused: %s', async (_what, config, fields, refusal) => {
    expect(await knock(config, { trusted: true, fields })).toBe(refusal)
  })
})
