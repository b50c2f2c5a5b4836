// X-Amzn-Oidc-Data: padded parts, a header that says who signed, and a plain subject beside it that must be the same.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OpenedEdge, openEdge } from '../../test/support/edge-way.ts'
import { ARN, type Edges, POOL, startEdges } from '../../test/support/edges.ts'
import { encode, es256 } from '../../test/support/forge.ts'
import type { Bent } from '../../test/support/issuer.ts'

let edges: Edges
let way: OpenedEdge
beforeAll(async () => {
  edges = await startEdges(Date.now)
  way = openEdge(edges.aws.settings)
})
afterAll(() => edges?.close())

const DATA = 'X-Amzn-Oidc-Data'
const IDENTITY = 'X-Amzn-Oidc-Identity'
const made = (bent?: Bent) => edges.aws.assertion(bent)
const expectTaken = async (assertion: string) =>
  expect(await way.judge({ [DATA]: assertion })).toMatchObject(edges.aws.ann)
const reasonOf = async (bent: Bent) => way.judge({ [DATA]: made(bent) })

describe('padding', () => {
  it('is part of what is signed', async () => {
    const lengths = new Set<string>()
    // Subjects of every length, so that each part is padded in each way.
    for (const name of ['', 'a', 'ab', 'abc']) {
      const assertion = made({ claims: { name }, header: { x: name } })
      lengths.add(
        assertion
          .split('.')
          .map((part) => /=*$/.exec(part)?.[0].length)
          .join(),
      )
      await expectTaken(assertion)
    }
    expect(lengths.size).toBeGreaterThan(1)
    const assertion = made({ claims: { name: 'a' }, header: { x: 'ab' } })
    const [head = '', body = '', signature = ''] = assertion.split('.')
    expect(assertion).toContain('=')
    const bare = (part: string) => part.replace(/=+$/, '')
    expect(await way.judge({ [DATA]: `${bare(head)}.${bare(body)}.${signature}` })).toBe('bad_signature')
    await expectTaken(`${head}.${body}.${bare(signature)}`)
  })

  it('is whole or not there, and nowhere else', async () => {
    const [head = '', body = '', signature = ''] = made().split('.')
    const short = signature.replace(/=+$/, '=')
    for (const bent of [
      `${head}.${body}.${short}`,
      `${head}.${body}.${signature}====`,
      `${head}.=${body}.${signature}`,
      `${head}=.${body}.${signature}`,
      `${head}.${body.slice(0, 4)}=${body.slice(5)}.${signature}`,
      '=.=.=',
      '====.====.====',
    ])
      expect(await way.judge({ [DATA]: bent })).toBe('malformed')
    await expectTaken(made())
  })

  it('that a sender leaves out everywhere is no reason to refuse', async () => {
    const { kid, privateKey } = edges.balancer
    const exp = Math.floor(Date.now() / 1000) + 60
    const header = { alg: 'ES256', kid, iss: POOL, client: 'client-of-the-balancer', signer: ARN, exp }
    const input = `${encode(JSON.stringify(header))}.${encode(JSON.stringify({ sub: 'ann' }))}`
    const signature = es256(privateKey)(Buffer.from(input))
    expect(await way.judge({ [DATA]: `${input}.${encode(signature)}` })).toMatchObject({ identity: 'ann' })
  })
})

describe('the header', () => {
  it.each<[string, Bent, string]>([
    ['of another load balancer', { header: { signer: ARN.replace('/mcp/', '/else/') } }, 'signer_mismatch'],
    [
      'of one in another account',
      { header: { signer: ARN.replace('123456789012', '210987654321') } },
      'signer_mismatch',
    ],
    ['of nobody', { header: { signer: undefined } }, 'signer_mismatch'],
    ['of several', { header: { signer: [ARN] } }, 'signer_mismatch'],
    ['for another client', { header: { client: 'another' } }, 'audience_mismatch'],
    ['for no client', { header: { client: undefined } }, 'audience_mismatch'],
    ['for several clients', { header: { client: ['another'] } }, 'audience_mismatch'],
    ['without an issuer', { header: { iss: undefined }, claims: { iss: undefined } }, 'claim_type'],
    ['without an end', { header: { exp: undefined }, claims: { exp: undefined } }, 'claim_type'],
    ['with another issuer than its payload', { claims: { iss: 'https://else.example' } }, 'issuer_mismatch'],
    ['with another end than its payload', { claims: { exp: 1 } }, 'claim_type'],
    ['without a kid', { header: { kid: undefined } }, 'unknown_key'],
  ])('%s is refused', async (_what, bent, reason) => {
    expect(await reasonOf(bent)).toBe(reason)
    await expectTaken(made())
  })

  it('is enough: the payload need not repeat it', async () => {
    expect(await reasonOf({ claims: { iss: undefined, exp: undefined } })).toMatchObject(edges.aws.ann)
  })

  it('of another load balancer has nobody look for its key', async () => {
    const before = way.asked.length
    await reasonOf({ header: { signer: 'arn:else', kid: '00000000-0000-4000-8000-000000000001' } })
    expect(way.asked.length).toBe(before)
  })
})

describe('the plain subject', () => {
  const identity = '02d3e414-1111-2222-3333-444455556666'
  it('must be the same where it is there', async () => {
    const assertion = made()
    for (const said of [identity, ` ${identity} `, ''])
      expect(await way.judge({ [DATA]: assertion, [IDENTITY]: said })).toMatchObject(edges.aws.ann)
    for (const said of ['root', identity.toUpperCase(), `${identity},root`])
      expect(await way.judge({ [DATA]: assertion, [IDENTITY]: said })).toBe('identity_headers_differ')
    expect(await way.judge({ [DATA]: assertion, [IDENTITY]: [identity, identity] })).toBe('identity_header_repeated')
  })

  it('alone is nobody', async () => {
    expect(await way.judge({ [IDENTITY]: identity })).toBe('nobody')
  })
})
