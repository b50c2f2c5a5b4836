// Passwords: kept as argon2id, hashed in a narrow queue, and not the obvious ones.
import { describe, expect, it } from 'vitest'
import { findPasswordFlaw, passwordHasher } from './password.ts'

const GOOD = 'violet kettle orbit 94'
const HERE = '192.0.2.1'

describe('passwordHasher', () => {
  it('writes the PHC string of argon2id with 46 MiB, another one each time', async () => {
    const { hash } = passwordHasher()
    const [one, other] = await Promise.all([hash(GOOD), hash(GOOD)])
    expect(one).toMatch(/^\$argon2id\$v=19\$m=47104,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(other).not.toBe(one)
  })

  it('proves the right password, in either Unicode form, and no other', async () => {
    const { hash, verify } = passwordHasher()
    const phc = await hash('zürich zürich 2031 lake')
    expect(await verify('zürich zürich 2031 lake'.normalize('NFD'), phc, HERE)).toBe(true)
    expect(await verify('Zürich zürich 2031 lake', phc, HERE)).toBe(false)
    expect(await verify('', phc, HERE)).toBe(false)
  })

  it('says no for an account that does not exist', async () => {
    expect(await passwordHasher().verify(GOOD, undefined, HERE)).toBe(false)
  })

  it('does not take a damaged hash for a wrong password', async () => {
    await expect(passwordHasher().verify(GOOD, 'plain', HERE)).rejects.toThrow(TypeError)
  })

  it('refuses with 429 what does not fit the queue, and finishes all that did', async () => {
    const { verify } = passwordHasher({ concurrency: 1, queue: 2 })
    const all = await Promise.allSettled(Array.from({ length: 5 }, () => verify(GOOD, undefined, HERE)))
    expect(all.map((one) => one.status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'])
    expect(all[4]).toMatchObject({ reason: { status: 429, reason: 'password_queue_full', retryAfter: 5 } })
    expect(await verify(GOOD, undefined, HERE)).toBe(false)
  })
})

describe('the queue', () => {
  it('gives one network four places, and keeps the others for everyone else', async () => {
    const { verify } = passwordHasher({ concurrency: 1 })
    const flood = Array.from({ length: 40 }, () => verify(GOOD, undefined, HERE))
    const elsewhere = verify(GOOD, undefined, '198.51.100.7')
    const all = await Promise.allSettled(flood)
    expect(all.filter((one) => one.status === 'fulfilled')).toHaveLength(5)
    expect(all.at(-1)).toMatchObject({ reason: { status: 429, reason: 'password_queue_full' } })
    expect(await elsewhere).toBe(false)
  })
})

describe('findPasswordFlaw', () => {
  it.each([GOOD, 'correct-ish gazelle umbrella', '日本語のとても長い秘密の合言葉です', 'x'.repeat(3) + GOOD])(
    'accepts %s',
    (password) => {
      expect(findPasswordFlaw(password, 'admin')).toBeUndefined()
    },
  )

  it.each([
    ['too_short', 'fourteen chars'],
    ['too_short', ''],
    ['too_long', 'violet kettle '.repeat(80)],
    ['too_obvious', 'aaaaaaaaaaaaaaaaaaaa'],
    ['too_obvious', 'abababababababab'],
    ['too_obvious', '123456789012345678'],
    ['too_obvious', 'Administrator123!'],
    ['too_obvious', 'P@ssw0rdP@ssw0rd'],
    ['too_obvious', 'changemechangeme'],
    ['too_obvious', 'correcthorsebatterystaple'],
    ['too_obvious', 'ann.smith-2031-2032'],
    ['too_obvious', 'qwertyuiopasdfghjkl'],
  ])('calls %s: %s', (flaw, password) => {
    expect(findPasswordFlaw(password, 'ann.smith@example.com')).toBe(flaw)
  })
})
