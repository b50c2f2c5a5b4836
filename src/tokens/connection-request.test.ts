import { describe, expect, it } from 'vitest'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import type { Marks } from '../store/ephemeral.ts'
import { askedBy, askingAgain, type ConnectionRequest, connectionRequests } from './connection-request.ts'

const unasked = () => Promise.reject(new Error('No mark is looked at.'))
const marks: Marks = { markSeen: unasked, isSeen: unasked }
const requests = connectionRequests({ sealKeys: () => [{ key: Buffer.alloc(32, 5) }], marks, clock: () => 1000 })

const person: Principal = { ...ANONYMOUS, kind: 'person', subject: 'ann', groups: ['engineering'], method: 'session' }
const byToken: Principal = { ...person, method: 'access_token', client: 'inspector', scopes: ['a', 'b'], family: 'f' }
const byApiToken: Principal = { ...person, method: 'api_token', family: 'nightly', tokenId: 'secret of it' }

describe('a link to connect an account', () => {
  it.each<[string, Principal]>([
    ['an access token', byToken],
    ['one without a scope', { ...byToken, scopes: [] }],
    ['an API token', byApiToken],
    ['what an issuer signed', { ...byToken, method: 'external_token' }],
  ])('keeps how its call came: by %s', (_, principal) => {
    const request: ConnectionRequest = { subject: 'ann', server: 'notes', asked: askedBy(principal, 'desk') }
    expect(requests.open(requests.seal(request))).toEqual(request)
  })

  it('speaks of the person as they are now, with what they came by then', () => {
    const asked = askedBy(byToken, 'desk')
    expect(asked).toMatchObject({ at: 'desk' })
    const now = { ...person, groups: [] }
    expect(asked && askingAgain(now, asked)).toEqual({ ...byToken, groups: [], family: undefined })
    const nightly = askedBy(byApiToken, 'desk')
    expect(nightly && askingAgain(now, nightly)).toEqual({ ...byApiToken, groups: [], tokenId: undefined })
  })

  it.each(['external_token', 'proxy', 'edge', 'certificate'] as const)(
    'knows no rule of whom others vouch for: %s',
    (method) => {
      expect(askedBy({ ...byToken, method }, 'desk')).toBeUndefined()
    },
  )

  it('fits through the sign-in pages, whatever clients are called', () => {
    const named = (client: string) => askedBy({ ...byToken, client }, 'desk')
    expect([named('x'.repeat(380)), named('x'.repeat(400))]).toEqual([expect.anything(), undefined])
    const asked = named('x'.repeat(380))
    expect(requests.seal({ subject: 's'.repeat(36), server: 'notes', asked }).length).toBeLessThan(900)
  })
})
