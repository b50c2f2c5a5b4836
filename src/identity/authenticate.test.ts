import { beforeEach, describe, expect, it } from 'vitest'
import { BearerError, RequestError, StoreUnavailable } from '../protocol/errors.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { authenticator, type Ways } from './authenticate.ts'
import type { Credentials, TokenWay, TransportWay } from './way.ts'

const WANTED = { server: 'a', resources: ['http://localhost/servers/a/mcp'] }

const person = (subject: string, email?: string): Principal => ({
  ...ANONYMOUS,
  kind: 'person',
  subject,
  email,
  identity: subject,
})

/** Fields by their lower-case name, a list where one comes several times. */
function knock(fields: Readonly<Record<string, string | readonly string[]>> = {}, query = ''): Credentials {
  return {
    field: (name) => [fields[name] ?? []].flat(),
    query,
    address: '192.0.2.1',
    transport: { trusted: true, peer: '192.0.2.1', certificate: () => undefined },
  }
}
const bearer = (token: string) => knock({ authorization: `Bearer ${token}` })

/** Knows the tokens that begin with its name, and refuses all but `NAME-good`. */
const wayOf = (name: string, claims: (token: string) => boolean = (token) => token.startsWith(name)): TokenWay => ({
  isMine: claims,
  prove(token) {
    asked.push(`${name}: ${token}`)
    if (token === `${name}-good`) return person(name, `${name}@corp.example`)
    throw new BearerError('invalid_token', `${name}_refused`, 'no')
  },
})
const says =
  (subject: string, email?: string): TransportWay =>
  () =>
    person(subject, email)
const silent: TransportWay = () => undefined
const fails =
  (error: Error): TransportWay =>
  () => {
    throw error
  }

let asked: string[]
const build = (over: Partial<Ways> = {}) =>
  authenticator({
    header: 'authorization',
    recall: (token) => (token === 'known' ? person('known') : undefined),
    tokens: [wayOf('api'), wayOf('ext'), wayOf('own', () => true)],
    apiTokens: wayOf('api'),
    transports: [],
    anonymous: false,
    explainNobody: () => 'no_credential',
    ...over,
  })

const subjectOf = async (ways: Partial<Ways>, credentials: Credentials) =>
  (await build(ways)(credentials, WANTED)).subject

async function refusalOf(ways: Partial<Ways>, credentials: Credentials): Promise<unknown> {
  const authenticate = build(ways)
  const [outcome] = await Promise.allSettled([(async () => authenticate(credentials, WANTED))()])
  return outcome.status === 'rejected' ? outcome.reason : undefined
}
/** Whatever else might have let the caller in. */
const OPEN: Partial<Ways> = { anonymous: true, transports: [says('proxy|bob')] }

beforeEach(() => {
  asked = []
})

describe('RFC 6750 §2.1', () => {
  it.each(['Bearer own-good', 'bearer own-good', 'BEARER own-good'])('takes %s', async (line) => {
    expect(await subjectOf({}, knock({ authorization: line }))).toBe('own')
  })

  it.each([
    'Bearer',
    'Bearer  own-good',
    'Bearer own-good,Bearer own-good',
    'Bearer own-good own-good',
    'Bearer own-good\tx',
    'Bearer ööö',
  ])('refuses %j whatever else is open, and asks nobody', async (line) => {
    const refusal = await refusalOf(OPEN, knock({ authorization: line }))
    expect(refusal).toMatchObject({ code: 'invalid_token', reason: 'malformed' })
    expect(asked).toEqual([])
  })

  it('answers a request without a credential with a challenge that carries no error', async () => {
    expect(await refusalOf({}, knock())).toMatchObject({ code: undefined, reason: 'no_credential' })
  })

  it('reads the header that is configured, and leaves Authorization to whoever needs it', async () => {
    const header = 'x-mcp-gateway-auth'
    const both = knock({ [header]: 'Bearer own-good', authorization: 'Bearer of-the-upstream' })
    expect(await subjectOf({ header }, both)).toBe('own')
    expect(await refusalOf({ header }, bearer('own-good'))).toMatchObject({ code: undefined })
  })
})

describe('one credential', () => {
  it.each<[string, Credentials]>([
    ['two lines', knock({ authorization: ['Bearer own-good', 'Bearer own-good'] })],
    ['a bearer and an API key', knock({ authorization: 'Bearer own-good', 'x-api-key': 'api-good' })],
    ['another scheme and an API key', knock({ authorization: 'Basic YTpi', 'x-api-key': 'api-good' })],
    ['two API keys', knock({ 'x-api-key': ['api-good', 'api-good'] })],
  ])('%s are two, and 400', async (_what, credentials) => {
    const refusal = await refusalOf(OPEN, credentials)
    expect(refusal).toMatchObject({ status: 400, code: 'invalid_request', reason: 'two_credentials' })
    expect(asked).toEqual([])
  })

  it.each([
    'access_token=x',
    'a=1&access_token=x',
    'ACCESS_TOKEN=x',
    'access%5Ftoken=x',
    'api_key=x',
    'apikey',
    'token=x',
  ])('RFC 6750 §2.3: in the query (%s) none is taken, alone or beside a good one', async (query) => {
    for (const fields of [{}, { authorization: 'Bearer own-good' }, { 'x-api-key': 'api-good' }])
      expect(await refusalOf(OPEN, knock(fields, query))).toMatchObject({ status: 400, reason: 'token_in_query' })
    expect(asked).toEqual([])
  })

  it('other parameters say nothing', async () => {
    expect(await subjectOf({}, knock({ authorization: 'Bearer own-good' }, 'tokens=3&x=access_token'))).toBe('own')
  })
})

describe('a token', () => {
  it('is judged by the first way that claims it, and by no other', async () => {
    expect(await subjectOf({}, bearer('ext-good'))).toBe('ext')
    expect(asked).toEqual(['ext: ext-good'])
  })

  it('that its way refuses is refused, whoever else might take it', async () => {
    const takesAll: TokenWay = { isMine: () => true, prove: () => person('everybody') }
    const ways = { ...OPEN, tokens: [wayOf('ext'), takesAll] }
    expect(await refusalOf(ways, bearer('ext-bad'))).toMatchObject({ reason: 'ext_refused' })
    expect(await subjectOf(ways, bearer('another'))).toBe('everybody')
  })

  it('that nobody claims is refused', async () => {
    expect(await refusalOf({ ...OPEN, tokens: [] }, bearer('own-good'))).toMatchObject({ reason: 'unknown_token' })
  })

  it('as X-API-Key goes to the way of API tokens alone', async () => {
    expect(await subjectOf({}, knock({ 'x-api-key': 'api-good' }))).toBe('api')
    expect(await refusalOf(OPEN, knock({ 'x-api-key': 'api-bad' }))).toMatchObject({ reason: 'api_refused' })
    asked = []
    for (const key of ['own-good', 'ext-good', 'known', ''])
      expect(await refusalOf(OPEN, knock({ 'x-api-key': key }))).toMatchObject({ reason: 'malformed' })
    expect(asked).toEqual([])
  })

  it('as X-API-Key is refused where there are no API tokens', async () => {
    const refusal = await refusalOf({ ...OPEN, apiTokens: undefined }, knock({ 'x-api-key': 'api-good' }))
    expect(refusal).toMatchObject({ code: 'invalid_token', reason: 'api_keys_closed' })
  })

  it('that is known is answered at once, and asks nobody', () => {
    const principal = build()(bearer('known'), WANTED)
    expect(principal).not.toBeInstanceOf(Promise)
    expect(principal).toMatchObject({ subject: 'known' })
    expect(asked).toEqual([])
  })
})

describe('the transport', () => {
  it('speaks for a caller who shows nothing, the first way that knows one', async () => {
    expect(await subjectOf({ transports: [silent, says('proxy|bob'), says('x')] }, knock())).toBe('proxy|bob')
  })

  it('is final when it refuses: neither the next way nor anonymous follows', async () => {
    const refused = new BearerError('invalid_token', 'account_disabled', 'no')
    const ways = { transports: [fails(refused), says('certificate|bob')], anonymous: true }
    expect(await refusalOf(ways, knock())).toBe(refused)
  })

  it('that says nothing leaves anonymous where it is admitted, else the challenge, with the reason it gives', async () => {
    const explainNobody = () => 'proxy_header_missing'
    const ways = { transports: [silent], explainNobody }
    expect(await subjectOf({ ...ways, anonymous: true }, knock())).toBe('anonymous')
    expect(await refusalOf(ways, knock())).toMatchObject({ code: undefined, reason: 'proxy_header_missing' })
  })

  it('speaks for a caller whose other scheme was the proxy’s affair; without it the scheme is refused, never anonymous', async () => {
    const basic = knock({ authorization: 'Basic YW5uOnNlY3JldA==' })
    expect(await subjectOf({ transports: [says('proxy|ann')] }, basic)).toBe('proxy|ann')
    for (const transports of [[], [silent]])
      expect(await refusalOf({ transports, anonymous: true }, basic)).toMatchObject({
        code: 'invalid_token',
        reason: 'unknown_scheme',
      })
  })
})

describe('the transport beside a credential', () => {
  const beside = async (transports: readonly TransportWay[], credentials = bearer('own-good')) => {
    const { subject, beside: other } = await build({ transports })(credentials, WANTED)
    return [subject, other]
  }

  it('decides nothing: the credential does, and the other is named', async () => {
    expect(await beside([says('proxy|bob', 'bob@corp.example')])).toEqual(['own', 'proxy|bob'])
    expect(await beside([says('proxy|bob')], bearer('known'))).toEqual(['known', 'proxy|bob'])
    expect(await beside([says('proxy|bob')], knock({ 'x-api-key': 'api-good' }))).toEqual(['api', 'proxy|bob'])
  })

  it('is not worth a word when it names nobody or the same person', async () => {
    expect(await beside([silent])).toEqual(['own', undefined])
    expect(await beside([says('own')])).toEqual(['own', undefined])
    expect(await beside([says('proxy|own', 'own@corp.example')])).toEqual(['own', undefined])
  })

  it('never saves a bad credential', async () => {
    const refusal = await refusalOf({ transports: [says('proxy|bob')], anonymous: true }, bearer('own-bad'))
    expect(refusal).toMatchObject({ reason: 'own_refused' })
  })

  it('may name somebody whom the gate would not admit', async () => {
    for (const error of [
      new RequestError(403, 'not_admitted', 'no'),
      new BearerError('invalid_token', 'not_admitted', 'no'),
    ])
      expect(await beside([fails(error)])).toEqual(['own', 'refused:not_admitted'])
  })

  it('that cannot be read, or asked, refuses the request', async () => {
    for (const error of [
      new BearerError('invalid_request', 'identity_header_repeated', 'no'),
      new StoreUnavailable('x'),
    ])
      expect(await refusalOf({ transports: [fails(error)] }, bearer('own-good'))).toBe(error)
  })
})
