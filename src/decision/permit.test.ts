import { describe, expect, it } from 'vitest'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { permits } from './permit.ts'
import type { Protected } from './protected.ts'

const person = (subject: string): Principal => ({ ...ANONYMOUS, kind: 'person', method: 'access_token', subject })
const place = (host: string): Protected => ({
  resource: { url: `https://${host}`, title: host, server: host, scopes: [], stepUpScopes: [] },
  server: host,
  wanted: { server: host, resources: [] },
  origin: `https://${host}`,
  required: [],
  scoped: false,
  admits: () => true,
  unauthenticated: 'auto',
})

/** Counts the assertions that are signed: one for each permit that is made and not remembered. */
function counted(most?: number) {
  const made: string[] = []
  const permit = permits(
    {
      policy: { view: () => 'all' },
      tellsCallsApart: () => false,
      checkScopes: () => undefined,
      mintAssertion({ subject }, audience) {
        made.push(`${subject} at ${audience}`)
        return { jwt: 'e30.e30.e30', freshUntil: 1000 }
      },
      onOmitted: () => undefined,
      clock: () => 0,
    },
    most,
  )
  return { made, permit }
}

describe('a permit', () => {
  it('is made once for each caller at each place', () => {
    const { made, permit } = counted()
    const [ann, bob, app, other] = [person('ann'), person('bob'), place('app.example'), place('other.example')]
    const first = permit(ann, app)
    permit(bob, app)
    permit(ann, other)
    expect(permit(ann, app)).toBe(first)
    expect(made).toEqual(['ann at https://app.example', 'bob at https://app.example', 'ann at https://other.example'])
  })

  it('is kept of so many and no more, however many hosts one caller names', () => {
    const { made, permit } = counted(3)
    const ann = person('ann')
    const hosts = ['a', 'b', 'c', 'd'].map((name) => place(`${name}.apps.example`))
    for (const host of hosts) permit(ann, host)
    const [first, last] = [hosts[0] ?? place(''), hosts[3] ?? place('')]
    permit(ann, last)
    expect(made).toHaveLength(4)
    permit(ann, first)
    permit(ann, first)
    expect(made).toHaveLength(5)
  })
})
