// Passwords of local accounts: argon2id (RFC 9106) in a narrow queue, and what is too easy to guess (NIST SP 800-63B-4 §3.1.1.2).
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { RequestError } from '../protocol/errors.ts'

// OWASP ASVS 5.0 appendix C: 46 MiB, one pass, one lane.
const MEMORY_KIB = 46 * 1024
const PASSES = 1
const LANES = 1
const TAG_BYTES = 32
const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

export const PASSWORD_LEAST_CHARACTERS = 15
export const PASSWORD_MOST_BYTES = 1024

export interface Passwords {
  /** PHC string. Throws RequestError 429 when too many wait. */
  hash(password: string): Promise<string>
  /** Does the same work for `undefined` (no such account) as for a wrong password. `from`: the network that asks. Throws RequestError 429 when too many wait, in all or from there. */
  verify(password: string, phc: string | undefined, from: string): Promise<boolean>
}

/** Each hash takes 46 MiB and a core: two at a time, fifty waiting, of one network four, the rest told to come back. */
export function passwordHasher({ concurrency = 2, queue = 50, share = 4 } = {}): Passwords {
  const inTurn = turnstile({ concurrency, queue, share })
  const nobody = phcOf(randomBytes(16), randomBytes(TAG_BYTES))
  return {
    hash: (password) =>
      inTurn(undefined, async () => {
        const salt = randomBytes(16)
        return phcOf(salt, await derive(password, { salt, memory: MEMORY_KIB, passes: PASSES, lanes: LANES }))
      }),
    verify: (password, phc, from) =>
      inTurn(from, async () => {
        const { tag, ...work } = parsePhc(phc ?? nobody)
        return timingSafeEqual(await derive(password, work), tag)
      }),
  }
}

function turnstile({ concurrency, queue, share }: { concurrency: number; queue: number; share: number }) {
  const waiting: { readonly from: string | undefined; enter(): void }[] = []
  let running = 0
  return async function inTurn<T>(from: string | undefined, work: () => Promise<T>): Promise<T> {
    if (running >= concurrency) {
      // Of no network: an account made by the operator or through a setup link.
      const mine = from === undefined ? 0 : waiting.filter((one) => one.from === from).length
      if (waiting.length >= queue || mine >= share)
        throw new RequestError(
          429,
          'password_queue_full',
          'Too many people sign in at this moment. Try again shortly.',
          {
            retryAfter: 5,
          },
        )
      // The one who leaves hands the place over, so that nobody slips in between.
      await new Promise<void>((enter) => waiting.push({ from, enter }))
    } else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next.enter()
      else running--
    }
  }
}

interface Work {
  readonly salt: Buffer
  readonly memory: number
  readonly passes: number
  readonly lanes: number
}

function derive(password: string, { salt, memory, passes, lanes }: Work): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  // The same password typed on two keyboards may come in two normal forms.
  const message = Buffer.from(password.normalize('NFKC'))
  const parameters = { message, nonce: salt, parallelism: lanes, tagLength: TAG_BYTES, memory, passes }
  argon2('argon2id', parameters, (error, tag) => (error ? reject(error) : resolve(tag)))
  return promise
}

const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')

const phcOf = (salt: Buffer, tag: Buffer) =>
  `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${unpadded(salt)}$${unpadded(tag)}`

function parsePhc(phc: string): Work & { readonly tag: Buffer } {
  const [, memory, passes, lanes, salt = '', hash = ''] = PHC.exec(phc) ?? []
  const tag = Buffer.from(hash, 'base64')
  // Only ever read back from our own store: another form is damage there, not a wrong password.
  if (tag.length !== TAG_BYTES) throw new TypeError('A stored password hash is not one of ours.')
  return {
    salt: Buffer.from(salt, 'base64'),
    memory: Number(memory),
    passes: Number(passes),
    lanes: Number(lanes),
    tag,
  }
}

export type PasswordFlaw = 'too_short' | 'too_long' | 'too_obvious'

/** Length and guessability are all that counts: no composition rules, no expiry (NIST SP 800-63B-4 §3.1.1.2). */
export function findPasswordFlaw(password: string, username: string): PasswordFlaw | undefined {
  if (Buffer.byteLength(password) > PASSWORD_MOST_BYTES) return 'too_long'
  if ([...password.normalize('NFKC')].length < PASSWORD_LEAST_CHARACTERS) return 'too_short'
  return isObvious(password, username) ? 'too_obvious' : undefined
}

// What the breached lists are made of at this length: few words, strung together, with digits behind them.
const WORDS = [
  'administrator admin root user guest test demo default changeme change secret private welcome letmein login master',
  'password passwort passphrase passwd pass word qwertyuiop qwertzuiop qwerty qwertz asdfghjkl asdf zxcvbnm azerty',
  '1qaz2wsx3edc iloveyou monkey dragon sunshine princess football baseball superman batman trustno1 shadow michael',
  'abcdefghijklmnopqrstuvwxyz abcdefgh abcdef abcd abc correcthorsebatterystaple portcullis gateway server company',
  'spring summer autumn winter january february monday sunday hello world mynameis thisis is my the not',
].flatMap((line) => line.split(' '))
const LEET: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
}
const LEFT_AT_LEAST = 6

/** Takes away the words everyone tries, digits and marks; what is left has to be something. */
function isObvious(password: string, username: string): boolean {
  const plain = password.normalize('NFKC').toLowerCase()
  if (new Set(plain).size < 6) return true
  const read = [plain, plain.replace(/[013457@$]/g, (mark) => LEET[mark] ?? mark)]
  const known = [...WORDS, ...username.toLowerCase().split(/[^a-z0-9]+/)].filter((word) => word.length > 1)
  known.sort((one, other) => other.length - one.length)
  return read.some((form) => {
    const rest = known.reduce((text, word) => text.replaceAll(word, ' '), form)
    return new Set(rest.replace(/[\s\d\p{P}\p{S}]+/gu, '')).size < LEFT_AT_LEAST
  })
}
