// The local administrator by HTTP Basic (RFC 7617): one name, one password, compared in constant time, guesses slowed by network.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Administrator } from '../config/admin.ts'
import type { Clock } from '../protocol/clock.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import { networkOf } from '../protocol/network.ts'
import type { Counters } from '../store/ephemeral.ts'
import { attemptsOf } from './attempts.ts'

/** A network that proved itself is not counted for this long: a program sends its password with every request. */
const PROVED = 60_000
const MOST_PROVED = 1000
const LONGEST = 4096

export const isBasic = (line: string | undefined): line is string => line !== undefined && /^basic /i.test(line)

interface Needs {
  readonly administrator: Administrator
  readonly counters: Counters
  readonly clock: Clock
}

/** Answers the administrator's name. Throws BearerError 401, RequestError 429. */
export type VerifyBasic = (line: string, address: string) => Promise<string>

export function basicVerifier({ administrator: { user, password }, counters, clock }: Needs): VerifyBasic {
  const attempts = attemptsOf(counters, clock)
  const expected = digest(`${user}:${password}`)
  const proved = new Map<string, number>()
  const account = `administrator ${user}`

  return async function verifyBasic(line, address) {
    const isRight = timingSafeEqual(digest(decode(line)), expected)
    const network = networkOf(address)
    if (isRight && (proved.get(network) ?? 0) > clock()) return user
    // Whoever guesses beside the administrator takes this away from both: the right password counts like any other then.
    proved.delete(network)
    const wait = await attempts.count(account, address)
    if (wait > 0)
      throw new RequestError(429, 'too_many_attempts', 'Too many wrong passwords. Try again later.', {
        retryAfter: wait,
      })
    if (!isRight) throw new BearerError('invalid_token', 'wrong_password', 'The user name or password is wrong.')
    await attempts.forget(account, address)
    if (proved.size >= MOST_PROVED) proved.clear()
    proved.set(network, clock() + PROVED)
    return user
  }
}

/** RFC 7617 §2.1: UTF-8. What is not in the right form is a wrong password. */
function decode(line: string): string {
  const encoded = line.slice('basic '.length).trim()
  if (encoded.length > LONGEST || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return ''
  return Buffer.from(encoded, 'base64').toString('utf8')
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
