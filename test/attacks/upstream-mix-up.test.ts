// Two servers behind the gate, each with its authorization server; one of them plays the other: it sends whoever connects an account there on to
// the honest one, so that its code comes back to us as the answer of the attacker's, to be sent there. RFC 9700 §4.4, RFC 9207 (A18, B2).
import { afterEach, describe, expect, it } from 'vitest'
import { clientDocument } from '../../src/upstreams/oauth/client-document.ts'
import { openConnecting } from '../support/connecting.ts'
import { startGateway } from '../support/gateway.ts'
import type { Person } from '../support/person.ts'
import { type AuthServerOptions, type GuardedUpstream, startGuardedUpstream } from '../support/upstream-auth.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

type Metadata = Record<string, unknown>

/** Says nowhere whose its answers are. */
const silent = (more: Metadata = {}): AuthServerOptions => ({
  metadata: (one) => ({ ...one, authorization_response_iss_parameter_supported: undefined, ...more }),
  iss: null,
})

async function started(options: AuthServerOptions): Promise<GuardedUpstream> {
  const upstream = await startGuardedUpstream(options)
  closing.push(upstream.close)
  return upstream
}

const askedAt = ({ asked }: GuardedUpstream, path: string) => asked.filter((one) => one.path === path)
/** Whoever knows the code, and nothing that was made for the honest one, got what they wanted. */
const soughtAt = (upstream: GuardedUpstream) => askedAt(upstream, '/token').map(({ form }) => form.get('code'))

describe('authorization servers that register us and do not say whose an answer is', () => {
  async function world() {
    const [honest, evil] = [await started(silent()), await started(silent())]
    const gateway = await startGateway({
      servers: [
        { id: 'honest', url: honest.url, credentials: { type: 'oauth' } },
        { id: 'evil', url: evil.url, credentials: { type: 'oauth' } },
      ],
      policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
    })
    closing.push(gateway.close)
    const ann = await gateway.person('ann')
    return { honest, evil, gateway, ann }
  }

  type World = Awaited<ReturnType<typeof world>>

  /** Up to the page of the authorization server. */
  async function departs(
    { gateway }: World,
    person: Person,
    server: string,
    { issuer }: GuardedUpstream,
  ): Promise<URL> {
    const page = await person.follow(`${gateway.url}/connections/connect?server=${server}`)
    return new URL((await person.submit(page, /^connect$/i, {}, { stopAt: issuer })).location ?? '')
  }

  const allowed = async (address: URL): Promise<URL | undefined> => {
    const location = (await fetch(address, { redirect: 'manual' })).headers.get('location')
    return location === null ? undefined : new URL(location)
  }

  /** What the attacker makes of a person who came to connect an account there. */
  function relayed(came: URL, { issuer }: GuardedUpstream, ours: URL, address: string): URL {
    const on = new URL(`${issuer}/authorize`)
    for (const [name, value] of came.searchParams) on.searchParams.set(name, value)
    on.searchParams.set('client_id', ours.searchParams.get('client_id') ?? '')
    on.searchParams.set('redirect_uri', address)
    return on
  }

  const addressIn = (departed: URL): string => departed.searchParams.get('redirect_uri') ?? ''

  it('send their answers to addresses of their own, and the answer of one is not taken at the other’s', async () => {
    const range = await world()
    const { honest, evil, ann, gateway } = range
    const ours = await departs(range, await gateway.person('bob'), 'honest', honest)
    const came = await departs(range, ann, 'evil', evil)
    expect(addressIn(came)).not.toBe(addressIn(ours))
    // The honest one knows no other address of ours.
    expect(await allowed(relayed(came, honest, ours, addressIn(came)))).toBeUndefined()
    const answer = await allowed(relayed(came, honest, ours, addressIn(ours)))
    expect(answer?.searchParams.get('state')).toBe(came.searchParams.get('state'))
    const back = await ann.open(answer?.href ?? '')
    expect([new URL(back.url).pathname, back.html.includes('Not connected')]).toEqual(['/connections/failed', true])
    expect([soughtAt(evil), soughtAt(honest)]).toEqual([[], []])
    const acts = (await gateway.audit()).map((event) => JSON.stringify(event))
    expect(acts.some((act) => act.includes('connection_refused') && act.includes('answer_address_mismatch'))).toBe(true)
    expect((await ann.open(`${gateway.url}/connections`)).html).not.toContain('>Connected<')
  })

  it('are not helped by a code that is carried to the right address with the right state', async () => {
    const range = await world()
    const { honest, evil, ann, gateway } = range
    const ours = await departs(range, await gateway.person('bob'), 'honest', honest)
    const came = await departs(range, ann, 'evil', evil)
    const answer = await allowed(relayed(came, honest, ours, addressIn(ours)))
    await ann.open(answer?.href ?? '')
    // Whoever sees the code may carry it anywhere: its journey has ended.
    const carried = new URL(addressIn(came))
    carried.search = answer?.search ?? ''
    expect((await ann.open(carried.href)).status).toBe(400)
    expect(soughtAt(evil)).toEqual([])
  })

  it('each connect an account of the person where nobody plays the other', async () => {
    const range = await world()
    const { honest, evil, ann, gateway } = range
    for (const [server, upstream] of [
      ['honest', honest],
      ['evil', evil],
    ] as const) {
      const answer = await allowed(await departs(range, ann, server, upstream))
      expect(new URL((await ann.open(answer?.href ?? '')).url).pathname).toBe('/connections/connected')
      expect(soughtAt(upstream)).toEqual([answer?.searchParams.get('code')])
    }
    expect((await ann.open(`${gateway.url}/connections`)).html.match(/>Connected</g)).toHaveLength(2)
  })

  it('of one server that names another one later, too', async () => {
    const range = await world()
    const { honest, evil, ann, gateway } = range
    const ours = await departs(range, await gateway.person('bob'), 'honest', honest)
    honest.options.resource = (document) => ({ ...document, authorization_servers: [evil.issuer] })
    const came = await departs(range, ann, 'honest', evil)
    const answer = await allowed(relayed(came, honest, ours, addressIn(ours)))
    await ann.open(answer?.href ?? '')
    expect([soughtAt(evil), soughtAt(honest)]).toEqual([[], []])
  })
})

describe('our metadata document, which every authorization server takes', () => {
  const GATE = 'https://mcp.example.com'
  const takes = { client_id_metadata_document_supported: true }
  const oauth = { type: 'oauth' as const }

  async function gateWith(servers: { id: string; url: string; credentials: typeof oauth & { issuer?: string } }[]) {
    const gate = await openConnecting({ servers, server: { url: GATE } })
    closing.push(gate.close)
    return gate
  }
  const refusal = (work: Promise<unknown>) =>
    work.then(
      () => 'connected',
      ({ reason }: { reason?: string }) => reason,
    )

  it('is good for an answer that names its issuer, and for no other at the same address', async () => {
    const [honest, evil] = [await started(silent(takes)), await started({ metadata: (one) => ({ ...one, ...takes }) })]
    const gate = await gateWith([{ id: 'evil', url: evil.url, credentials: oauth }])
    const stolen = { back: (answer: URLSearchParams) => answer.delete('iss') }
    expect(await refusal(gate.connect('ann', 'evil', stolen))).toBe('answer_issuer_mismatch')
    const ofHonest = { back: (answer: URLSearchParams) => answer.set('iss', honest.issuer) }
    expect(await refusal(gate.connect('ann', 'evil', ofHonest))).toBe('answer_issuer_mismatch')
    expect(soughtAt(evil)).toEqual([])
    expect(await refusal(gate.connect('ann', 'evil'))).toBe('connected')
    expect(askedAt(evil, '/token')[0]?.form.get('redirect_uri')).toBe(`${GATE}/connections/callback`)
  })

  it('is not used where answers name none: the gate registers', async () => {
    const upstream = await started(silent(takes))
    const gate = await gateWith([{ id: 'github', url: upstream.url, credentials: oauth }])
    expect(await refusal(gate.connect('ann', 'github'))).toBe('connected')
    expect(upstream.registrations()).toBe(1)
    expect(askedAt(upstream, '/token')[0]?.form.get('redirect_uri')).toMatch(/\/connections\/callback\/github\/./)
  })

  it('is used there for the issuer that somebody wrote, at the address of that server', async () => {
    const upstream = await started(silent({ ...takes, registration_endpoint: undefined }))
    const unwritten = await gateWith([{ id: 'github', url: upstream.url, credentials: oauth }])
    expect(await refusal(unwritten.connect('ann', 'github'))).toBe('document_unsafe')
    expect(askedAt(upstream, '/authorize')).toEqual([])
    const { issuer } = upstream
    const written = await gateWith([{ id: 'github', url: upstream.url, credentials: { ...oauth, issuer } }])
    expect(await refusal(written.connect('ann', 'github'))).toBe('connected')
    expect(askedAt(upstream, '/token')[0]?.form.get('redirect_uri')).toBe(`${GATE}/connections/callback/github`)
    const away = (_: URLSearchParams, address: URL) => {
      address.pathname = '/connections/callback'
    }
    expect(await refusal(written.connect('ann', 'github', { back: away }))).toBe('answer_address_mismatch')
  })

  it('names the addresses of those servers alone', () => {
    expect(clientDocument(GATE, ['github'])).toMatchObject({
      redirect_uris: [`${GATE}/connections/callback`, `${GATE}/connections/callback/github`],
      application_type: 'web',
    })
  })
})
