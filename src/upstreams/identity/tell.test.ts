// Told once for each principal, and again in time.
import { describe, expect, it } from 'vitest'
import type { ToldIdentity } from '../../config/identity-told.ts'
import { IDENTITY_ATTRIBUTES } from '../../protocol/identity-headers.ts'
import { ANONYMOUS, type Principal } from '../../protocol/principal.ts'
import { IDENTITY_KEY } from './meta.ts'
import { tellIdentity } from './tell.ts'

const HALF_LIFE = 30_000

function setup(more: Partial<ToldIdentity> = {}) {
  const state = { now: 1_800_000_000_000, minted: 0, omitted: [] as string[] }
  const tell = tellIdentity({
    told: {
      headers: true,
      jwt: true,
      meta: true,
      attributes: IDENTITY_ATTRIBUTES,
      headerPrefix: 'X-Forwarded',
      form: 'portcullis',
      ...more,
    },
    audience: 'http://notes/mcp',
    mintAssertion({ subject }, audience) {
      state.minted += 1
      return { jwt: `${subject} at ${audience}, ${state.minted}`, freshUntil: state.now + HALF_LIFE }
    },
    onOmitted: (_principal, fields) => void state.omitted.push(...fields),
    clock: () => state.now,
  })
  return { state, tell: (principal: Principal) => tell({ principal, rawHeaders: [] }) }
}
const ann: Principal = { ...ANONYMOUS, kind: 'person', subject: 'ann', method: 'access_token' }

describe('what a server is told', () => {
  it('is one object for as long as half an assertion lives', () => {
    const { state, tell } = setup()
    const first = tell(ann)
    expect(first.headers).toMatchObject({
      'x-forwarded-user': 'ann',
      'x-portcullis-assertion': 'ann at http://notes/mcp, 1',
    })
    state.now += HALF_LIFE - 1
    expect(tell(ann)).toBe(first)
    state.now += 1
    expect(tell(ann).headers).toMatchObject({ 'x-portcullis-assertion': 'ann at http://notes/mcp, 2' })
  })

  it('is made anew when the clock was set back', () => {
    const { state, tell } = setup()
    const first = tell(ann)
    state.now -= 1
    expect(tell(ann)).not.toBe(first)
  })

  it('is each principal’s own, and cannot be changed', () => {
    const { tell } = setup()
    const bob = tell({ ...ann, subject: 'bob' })
    expect(tell(ann).headers).toMatchObject({ 'x-forwarded-user': 'ann' })
    expect(bob.headers).toMatchObject({ 'x-forwarded-user': 'bob' })
    expect(Object.isFrozen(bob.headers)).toBe(true)
    expect(Object.isFrozen(bob.meta.members)).toBe(true)
  })

  it('lasts where nothing in it ends', () => {
    const { state, tell } = setup({ jwt: false })
    const first = tell(ann)
    state.now += 3_600_000
    expect(tell(ann)).toBe(first)
    expect(state.minted).toBe(0)
  })

  it('asserts nothing of nobody', () => {
    const { state, tell } = setup()
    const { headers, meta } = tell(ANONYMOUS)
    expect(headers).toEqual({ 'x-forwarded-auth-method': 'none' })
    expect(meta.members[IDENTITY_KEY]).toEqual({ groups: [], roles: [], teams: [], scopes: [], method: 'none' })
    expect(state.minted).toBe(0)
  })

  it('names what did not fit, once', () => {
    const { state, tell } = setup()
    const crowd = { ...ann, groups: Array.from({ length: 1000 }, (_, at) => `group-${at}`) }
    tell(crowd)
    tell(crowd)
    expect(state.omitted).toEqual(['X-Forwarded-Groups'])
  })

  it('in the message alone: no header, and the assertion is in the message', () => {
    const { tell } = setup({ headers: false })
    const { headers, meta } = tell(ann)
    expect(Object.keys(headers ?? {})).toEqual(['x-portcullis-assertion'])
    expect(meta.members[IDENTITY_KEY]).toMatchObject({ user: 'ann', assertion: expect.any(String) })
    expect(setup({ headers: false, jwt: false, meta: false }).tell(ann)).toMatchObject({
      headers: undefined,
      meta: { text: '' },
    })
  })

  it('who acts for whom is in the message', () => {
    const { tell } = setup({ jwt: false })
    const acting = { ...ann, actor: { ...ANONYMOUS, subject: 'bot', actor: { ...ANONYMOUS, subject: 'chat' } } }
    expect(tell(acting).meta.members[IDENTITY_KEY]).toMatchObject({ user: 'ann', actors: ['bot', 'chat'] })
  })
})
